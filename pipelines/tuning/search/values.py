"""The values that a key may take: choices, or a range of numbers."""

from dataclasses import dataclass
from json import dumps
from math import ceil, log10
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictFloat, StrictInt, model_validator

from pipelines.core.section import Section
from pipelines.recipe.yaml_reader import value_of

if TYPE_CHECKING:
    from optuna import Trial

MIN_LOG_RATIO = 10  # high / low from which a range is searched on a logarithmic scale
MIN_DISTINCT_VALUES = 1000  # a range is rounded to no fewer numbers than this


@dataclass(frozen=True)
class Choices:
    """A list of values, as they would be typed."""

    texts: tuple[str, ...]

    def suggest(self, trial: "Trial", name: str) -> str:
        """Let an Optuna trial choose a value."""
        # texts, since Optuna stores only scalars and a choice may be a list
        return trial.suggest_categorical(name, self.texts)

    def text(self, drawn: str) -> str:
        """Return a drawn value as it would be typed."""
        return drawn

    @property
    def extremes(self) -> tuple[str, ...]:
        """The values to try a recipe with: each of them."""
        return self.texts

    @property
    def all(self) -> tuple[str, ...]:
        """Every value."""
        return self.texts

    def __str__(self) -> str:
        return ",".join(self.texts)


class Range(Section):
    """Numbers from `low` to `high`, integers where both are integers."""

    low: StrictInt | StrictFloat
    high: StrictInt | StrictFloat
    log: bool = Field(
        False, description="on a logarithmic scale; the default over a decade or more"
    )
    step: StrictInt | StrictFloat | None = Field(None, gt=0, description="between neighbors")

    @model_validator(mode="before")
    @classmethod
    def _set_log(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.keys() & {"log", "step"}:
            return values
        low, high = values.get("low"), values.get("high")
        if not (isinstance(low, int | float) and isinstance(high, int | float)):
            return values
        # a range that contains 0 has no logarithm
        return {**values, "log": 0 < low * MIN_LOG_RATIO <= high}

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"{self.low}..{self.high}: the first number should be the smaller one")
        if self.log and (self.low <= 0 or self.step):
            raise ValueError("log: expected positive numbers and no step")
        if self.is_integer and isinstance(self.step, float):
            raise ValueError(
                f"step {self.step} between integers; write low as {float(self.low)} for a range of "
                "numbers"
            )
        return self

    @property
    def is_integer(self) -> bool:
        """Whether the range holds integers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: "Trial", name: str) -> int | float:
        """Let an Optuna trial choose a number."""
        if self.is_integer:
            step = int(self.step or 1)
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log, step=step)
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def text(self, drawn: int | float) -> str:
        """Return a drawn number as it would be typed, with only the digits that matter."""
        if self.is_integer:
            return str(drawn)
        if self.log:
            rounded = float(f"{drawn:.3g}")
        else:
            rounded = round(drawn, ceil(log10(MIN_DISTINCT_VALUES / (self.high - self.low))))
        # rounding must not leave the range: its ends may be the ends of what a key allows
        return f"{min(max(rounded, self.low), self.high):.12g}"

    @property
    def extremes(self) -> tuple[str, ...]:
        """The values to try a recipe with: both ends."""
        return (self.text(self.low), self.text(self.high))

    @property
    def all(self) -> tuple[int, ...] | None:
        """Every integer; None for a range of real numbers."""
        if not self.is_integer:
            return None
        return tuple(range(int(self.low), int(self.high) + 1, int(self.step or 1)))

    def __str__(self) -> str:
        options = [*["log scale"] * self.log, *[f"step {self.step}"] * bool(self.step)]
        return f"{self.low:g}..{self.high:g}" + (f" ({', '.join(options)})" if options else "")


Values = Choices | Range


def as_text(value: Any) -> str:
    """Return what would be typed after `key=` to set `value`."""
    return value if isinstance(value, str) and value_of(value) == value else dumps(value)
