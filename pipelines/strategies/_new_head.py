"""Layers that the checkpoint did not hold learn faster than those that it did."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipelines.strategies import Resolution, Strategy

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.strategies.choosing.context import AutoContext

# At one rate for all, `full` had 78.8 % on Banking77 where a bag of words has 87.1, and `lora` 41.1
# with 8 questions of each intent; with a new layer ten times as fast it was 89.6 and 75.1. On two
# classes it made no difference (benchmarks/README.md).
USUAL_RATIO, MAX_RATE = 10.0, 5e-3


class NewHead(Strategy):
    """Base of strategies whose new layers start at random, beside weights that hardly move."""

    head_lr_ratio: Literal["auto"] | Annotated[float, Field(gt=0)] = Field(
        "auto",
        description="how much faster layers learn that the checkpoint did not hold; auto: "
        f"{USUAL_RATIO:.0f} times, up to a rate of {MAX_RATE:g}",
    )

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace `head_lr_ratio: auto` by a number."""
        if self.head_lr_ratio != "auto":
            return Resolution({"strategy": self})
        usual = self.training_defaults(context.task.modality, context.anatomy)
        rate = float(context.training.get("learning_rate", usual["learning_rate"]))
        ratio = min(USUAL_RATIO, max(1.0, MAX_RATE / rate)) if rate else 1.0
        return Resolution({"strategy": self.replace(head_lr_ratio=round(ratio, 4))})

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return `head_lr_ratio` for a parameter that the checkpoint did not hold."""
        assert self.head_lr_ratio != "auto"
        return self.head_lr_ratio if anatomy.is_new(parameter) else 1.0
