"""The values that a key may take: choices, or a range of numbers."""

from dataclasses import dataclass
from json import dumps
from math import ceil, log10
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictFloat, StrictInt, model_validator

from pipelines.core.section import Section
from pipelines.recipe.document import value_of

if TYPE_CHECKING:
    from optuna import Trial

DECADE = 10  # from this ratio on, magnitudes are searched and not numbers
FINE = 1000  # numbers of a range that are worth telling apart


@dataclass(frozen=True)
class Choices:
    """Some values, as one would type them."""

    texts: tuple[str, ...]

    def suggest(self, trial: "Trial", name: str) -> str:
        return trial.suggest_categorical(name, self.texts)

    def text(self, drawn: str) -> str:
        return drawn

    @property
    def extremes(self) -> tuple[str, ...]:
        return self.texts

    @property
    def all(self) -> tuple[str, ...]:
        return self.texts

    def __str__(self) -> str:
        return ",".join(self.texts)


class Range(Section):
    """Numbers from `low` to `high`, integers where both are integers."""

    low: StrictInt | StrictFloat
    high: StrictInt | StrictFloat
    log: bool = Field(False, description="by magnitude: so by default over a decade or more")
    step: StrictInt | StrictFloat | None = Field(None, gt=0, description="between neighbors")

    @model_validator(mode="before")
    @classmethod
    def _by_magnitude(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.keys() & {"log", "step"}:
            return values
        low, high = values.get("low"), values.get("high")
        if not (isinstance(low, int | float) and isinstance(high, int | float)):
            return values
        return {**values, "log": 0 < low * DECADE <= high}

    @model_validator(mode="after")
    def _rises(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"{self.low}..{self.high}: the first number should be the smaller one")
        if self.log and (self.low <= 0 or self.step):
            raise ValueError("log goes with positive numbers and without a step")
        if self.is_integer and isinstance(self.step, float):
            raise ValueError(f"step {self.step} between integers; say {float(self.low)}")
        return self

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: "Trial", name: str) -> int | float:
        if self.is_integer:
            step = int(self.step or 1)
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log, step=step)
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def text(self, drawn: int | float) -> str:
        """What a trial is given: as many digits as make a difference."""
        if self.is_integer:
            return str(drawn)
        if self.log:
            rounded = float(f"{drawn:.3g}")
        else:
            rounded = round(drawn, ceil(log10(FINE / (self.high - self.low))))
        return f"{min(max(rounded, self.low), self.high):.12g}"

    @property
    def extremes(self) -> tuple[str, ...]:
        return (self.text(self.low), self.text(self.high))

    @property
    def all(self) -> tuple[int, ...] | None:
        """Every value, where they can be counted."""
        if not self.is_integer:
            return None
        return tuple(range(int(self.low), int(self.high) + 1, int(self.step or 1)))

    def __str__(self) -> str:
        how = [*["by magnitude"] * self.log, *[f"step {self.step}"] * bool(self.step)]
        return f"{self.low:g}..{self.high:g}" + (f" ({', '.join(how)})" if how else "")


Values = Choices | Range


def as_text(value: Any) -> str:
    """What would be typed behind `key=` to say `value`."""
    return value if isinstance(value, str) and value_of(value) == value else dumps(value)
