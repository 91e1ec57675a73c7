"""Are the probabilities true? Mended on validation, measured on test.

decisions.py     what a model said, as choices among classes
temperature.py   the one number that its logits are divided by
reliability.py   how far confidence is from accuracy
conformal.py     sets of classes that hold the right one as often as was asked for
calibrated.py    all of it, before and after, for each split
"""

from typing import TYPE_CHECKING, Self

from pydantic import Field

from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE
from pipelines.core.section import Section

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.tasks import Task


class Calibration(Section):
    """Make the probabilities true on average, and measure whether they are."""

    temperature: bool = Field(
        True, description="divide the logits by one number, fitted on validation, in the weights"
    )
    conformal: float | None = Field(
        None, gt=0, lt=1, description="alpha: the share of prediction sets without the right class"
    )

    @classmethod
    def usual(cls, task: "Task") -> Self | None:
        """What a recipe means that does not speak of it: nothing where examples have no classes."""
        return cls() if task.prediction_unit == "example" else None

    def of(self, labels: "Labels", *, asked: bool) -> Self | None:
        """This section for `labels`; None where they have no probabilities and nobody asked.

        Raises:
            RecipeError: the recipe asks for what these labels do not have.
        """
        kind = labels.problem_type
        if self.conformal is not None and kind != SINGLE:
            raise RecipeError(
                f"calibration.conformal: {self.conformal:g}: sets hold the one right class of a "
                f"{SINGLE}; this is a {kind}: leave it out"
            )
        if kind in (SINGLE, MULTI):
            return self
        if asked:
            raise RecipeError(
                f"calibration: a {kind} has no probabilities: leave it out, or say null"
            )
        return None
