"""Where rules of `auto` choose a training: its result is not clearly below that of a probe.

before training ── features, a head solved on them ──▶ score of a probe on validation
after training  ── score of the model on validation ──▶ lower, and by more than chance? then the
                                                         probe is the run's model
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipelines.core import processes
from pipelines.core.console import capture_stdout, say
from pipelines.recipe import Recipe, combinations
from pipelines.strategies.auto import Auto
from pipelines.strategies.linear_probe import LinearProbe
from pipelines.workflow.prepare import on_rows_of
from pipelines.workflow.prepared import MIN_CHOOSING_ROWS, Prepared
from pipelines.workflow.train import job_of

if TYPE_CHECKING:
    from pipelines.report.evidence import SplitPredictions

# of a value between 0 and 1, such as whether an answer is right; by one row of 150, a probe took
# the place of a training that was 11 points better on test (benchmarks/README.md, "More pairs")
MAX_DEVIATION = 0.5


@dataclass(frozen=True)
class ProbeInstead:
    """A linear probe that takes the place of a training that is worse on validation.

    Attributes:
        recipe: of the probe.
        score: its main score on validation.
    """

    recipe: Recipe
    score: float

    @classmethod
    def of(cls, recipe: Recipe, prepared: Prepared) -> Self | None:
        """Score a probe on the features of the model as it is before training.

        Args:
            recipe: as the user wrote it.

        Returns:
            None where `auto` has not chosen a training by its rules, where no probe goes with the
            recipe, and where validation has too few rows to choose by.
        """
        if not isinstance(recipe.strategy, Auto) or prepared.data.is_folded:
            return None
        num_validation = len(prepared.targets["validation"])
        if prepared.stream is not None or num_validation < MIN_CHOOSING_ROWS:
            return None
        probe = LinearProbe()
        data = recipe.data.replace(folds=prepared.data.num_folds)
        recipe = recipe.replace(strategy=probe, data=data)
        is_probe = prepared.recipe.strategy.no_gradient_reason is not None
        if is_probe or recipe.adaptation or any(combinations.problems(recipe)):
            return None
        score = probe.validation_score(job_of(prepared, Path()))
        say(
            f"auto: {probe.name} has {prepared.scorer.main} {score:.4f} on validation, and takes "
            f"the place of {prepared.recipe.strategy.name} if that has clearly less"
        )
        return cls(recipe, score)

    def after(self, prepared: Prepared, validation: "SplitPredictions") -> Prepared | None:
        """Prepare the probe, if what was trained is clearly worse; else return None.

        Args:
            validation: predictions of what was trained.

        Raises:
            GraftError: as `prepare` does.
        """
        scorer, name = prepared.scorer, self.recipe.strategy.name
        score = scorer.main_score(validation.predictions, validation.targets, validation.outputs)
        sign = 1 if scorer.greater_is_better else -1
        lead = sign * (self.score - score)
        by_chance = MAX_DEVIATION / len(validation.targets) ** 0.5
        if not scorer.greater_is_better:
            by_chance *= score  # an error has a unit
        # one answer for all processes, which go on together
        if not processes.from_main(lambda: lead > by_chance):
            if lead > 0:
                say(
                    f"auto: {name} has {scorer.main} {self.score:.4f} on validation, and "
                    f"{prepared.recipe.strategy.name} {score:.4f}: chance may make such a "
                    f"difference, and the training stays; strategy={name} takes the other"
                )
            return None
        reason = (
            f"{scorer.main} {self.score:.4f} on validation, where {prepared.recipe.strategy.name}, "
            f"which was trained first, has {score:.4f}"
        )
        say(f"auto: {name}; reason: {reason}")
        with capture_stdout():  # all that is worth printing was printed before training
            chosen = on_rows_of(prepared, self.recipe, test=True)
        compared = (name, prepared.recipe.strategy.name)
        return replace(chosen, reason=reason, compared=compared)
