"""Are the probabilities true? Corrected on validation, measured on test.

decisions.py     logits as choices among classes
temperature.py   the one number that logits are divided by
reliability.py   how far confidence is from accuracy
conformal.py     sets of classes that hold the right one as often as requested
result.py        all of it, before and after, for each split
"""

from typing import TYPE_CHECKING, Self

from pydantic import Field

from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, SINGLE
from pipelines.core.section import Section

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.tasks import Task

# a temperature fitted on fewer is mostly its prior, or chance
MIN_ROWS = 20  # of a validation split
# Rows out of fold tell how sure a model is that has seen few: with 8 sentences of SST-2 a
# temperature made the log-likelihood better in 26 of 30 draws, with 1 row a class in none
MIN_ROWS_OUT_OF_FOLD = 8
MIN_ROWS_OUT_OF_FOLD_PER_CLASS = 2


def min_rows(num_classes: int, *, out_of_fold: bool) -> int:
    """Return the rows of validation that a temperature needs."""
    if not out_of_fold:
        return MIN_ROWS
    return max(MIN_ROWS_OUT_OF_FOLD, MIN_ROWS_OUT_OF_FOLD_PER_CLASS * num_classes)


class Calibration(Section):
    """Make the probabilities true on average, and measure whether they are."""

    temperature: bool = Field(
        True, description="divide the logits by one number, fitted on validation, in the weights"
    )
    conformal: float | None = Field(
        None, gt=0, lt=1, description="alpha: the share of prediction sets without the right class"
    )

    thresholds: bool = Field(
        True,
        description="of several labels: choose on validation above which probability each is "
        "given, by its F1; they are kept in config.json",
    )

    @classmethod
    def default_for(cls, task: "Task") -> Self | None:
        """Return the section of a recipe without one; None if examples have no classes."""
        return cls() if task.prediction_unit == "example" else None

    def resolve(self, labels: "Labels", *, explicit: bool) -> Self | None:
        """Return this section, or None if labels have no probabilities.

        Args:
            explicit: whether the recipe has the section; otherwise it gives way silently.

        Raises:
            RecipeError: the recipe requests what these labels do not have.
        """
        # the problem type follows from the data, so this cannot be checked with the recipe
        kind = labels.problem_type
        if self.conformal is not None and kind != SINGLE:
            raise RecipeError(
                f"calibration.conformal: {self.conformal:g}: prediction sets need one right class "
                f"per example ({SINGLE}); this is a {kind}: leave calibration.conformal out"
            )
        if kind == SINGLE:
            if self.thresholds and "thresholds" in self.model_fields_set:
                raise RecipeError(
                    "calibration.thresholds: true: the most probable of several classes is chosen, "
                    f"whatever its probability ({SINGLE}); leave calibration.thresholds out"
                )
            return self.replace(thresholds=False)
        if kind == MULTI:
            return self
        if explicit:
            raise RecipeError(
                f"calibration: a {kind} has no probabilities: leave the section out, or set "
                "calibration: null"
            )
        return None
