"""The result of calibration: reliability before and after, for each split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.evaluation.calibration import conformal
from pipelines.evaluation.calibration.conformal import PredictionSets
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.evaluation.calibration.reliability import NUM_BINS, Reliability

if TYPE_CHECKING:
    import numpy as np

    from pipelines.evaluation.calibration import Calibration


@dataclass(frozen=True, eq=False)
class CalibrationResult:
    """How true the probabilities are.

    Attributes:
        temperature: what the logits were divided by; None if they are as trained.
        before: split -> reliability as trained.
        after: split -> reliability of the final model; the same as `before` without a temperature.
        sets: prediction sets, if the recipe requests them.
    """

    temperature: float | None
    before: Mapping[str, Reliability]
    after: Mapping[str, Reliability]
    sets: PredictionSets | None

    @property
    def reported_split(self) -> str:
        """The split to report: test, on which nothing was fitted, if there is one."""
        # validation chose the temperature, so its numbers flatter
        return list(self.after)[-1]

    @property
    def num_fitted(self) -> int:
        """How many decisions of validation the temperature is fitted on."""
        return int(self.after["validation"].counts.sum())

    def json(self) -> dict[str, Any]:
        """Return everything as plain values, for metrics.json."""
        splits = {
            split: {
                "before": before.json(),
                "after": self.after[split].json() if self.temperature else None,
            }
            for split, before in self.before.items()
        }
        return {
            "temperature": self.temperature,
            "fitted_on": "validation" if self.temperature else None,
            "ece_bins": NUM_BINS,
            **splits,
            "conformal": vars(self.sets) if self.sets else None,
        }


def measure(
    section: "Calibration",
    temperature: float | None,
    outputs: Mapping[str, tuple[Any, Any]],
    problem_type: str,
    seed: int,
    groups: "np.ndarray | None" = None,
) -> CalibrationResult:
    """Measure how far probabilities are from the truth, before and after temperature scaling.

    Args:
        temperature: what the logits have been divided by; None if they are as trained.
        outputs: split -> (its (rows, num_labels) logits after that division, its targets);
            validation first, test last.
        seed: draws the halves of validation for prediction sets without a test split.
        groups: (rows,) equal in rows of validation that are in one half; None: each by itself.
    """
    after = {split: Decisions.of(*pair, problem_type) for split, pair in outputs.items()}
    # multiplying back saves a second pass through the model as trained
    before = {
        split: decisions.with_temperature(1 / (temperature or 1))
        for split, decisions in after.items()
    }
    sets = None
    if section.conformal is not None:
        validation, test = after["validation"], after.get("test")
        sets = conformal.measure(section.conformal, validation, test, seed, groups)
    return CalibrationResult(
        temperature,
        {split: Reliability.of(decisions) for split, decisions in before.items()},
        {split: Reliability.of(decisions) for split, decisions in after.items()},
        sets,
    )
