"""The learning rates of a range test."""

from dataclasses import dataclass
from math import isfinite

from pipelines.core.errors import RecipeError

MIN_STEPS = 20  # the read range leaves out a tenth at the start and 5 steps at the end


@dataclass(frozen=True)
class Sweep:
    """Learning rates that rise by a constant factor, from `low` to `high` in `steps` steps.

    Raises:
        RecipeError: the rates do not rise, or the steps are too few to read off a suggestion.
    """

    low: float = 1e-7
    high: float = 1.0
    steps: int = 100

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high and isfinite(self.high)):
            options = f"--low {self.low:g} --high {self.high:g}"
            raise RecipeError(f"command line: {options}: expected rates with 0 < low < high")
        if self.steps < MIN_STEPS:
            raise RecipeError(f"command line: --steps {self.steps}: expected at least {MIN_STEPS}")

    def rate(self, step: int) -> float:
        """Return the base learning rate of a step, counted from 0."""
        return self.low * (self.high / self.low) ** (step / (self.steps - 1))
