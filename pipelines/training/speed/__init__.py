"""Same results in less time: the switches of a recipe's `speed:` section, and what was decided.

packing.py             compute tokens, and no padding, where a model can
packed_model.py        a model whose blocks compute packed tokens
packed_layout.py       where the tokens of a packed batch stand
length_buckets.py      compute a batch in buckets of about one length
frozen_blocks.py       run frozen blocks once, and keep what they give
frozen_blocks_cost.py  whether that pays
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipelines.core.errors import RecipeError
from pipelines.core.section import Section


def _word(value: Any) -> Any:
    """Read `on` and `off` of YAML 1.1, which are truth values there, as the words that they are."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


Switch = Annotated[Literal["auto", "on", "off"], BeforeValidator(_word)]


class Speed(Section):
    """What changes how libraries compute; `auto` where it works and pays, `on` or an error."""

    packing: Switch = Field("auto", description="blocks compute tokens and no padding")
    length_buckets: Switch = Field(
        "auto",
        description="steps that are not packed are computed in buckets of one length",
    )
    frozen_blocks: Switch = Field(
        "auto", description="frozen blocks run once, their activations lie on disk; top_layers"
    )


@dataclass(frozen=True)
class SpeedDecision:
    """Whether a run used one of the switches of `speed:`, and why not."""

    name: str
    on: bool
    reason: str = ""

    def __str__(self) -> str:
        state = "on" if self.on else "off"
        return f"speed: {self.name} {state}" + (f": {self.reason}" if self.reason else "")


Reason = Callable[[], str | None]


def decide(speed: Speed, name: str, obstacle: Reason, cost: Reason | None = None) -> SpeedDecision:
    """Decide on the switch `name`.

    Args:
        obstacle: why it cannot be done, a failed self-test included; None: it can.
        cost: why it would not pay; `on` does not ask.

    Raises:
        RecipeError: the recipe says `on`, and it cannot be done.
    """
    switch = getattr(speed, name)
    if switch == "off":
        return SpeedDecision(name, False, "the recipe says off")
    reason = obstacle()
    if reason and switch == "on":
        raise RecipeError(f"speed.{name}: on: cannot be done: {reason}; say auto or off")
    if not reason and cost and switch == "auto":
        reason = cost()
    return SpeedDecision(name, not reason, reason or "")
