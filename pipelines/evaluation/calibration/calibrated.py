"""What calibration came to: before and after, for each split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.evaluation.calibration import conformal
from pipelines.evaluation.calibration.conformal import PredictionSets
from pipelines.evaluation.calibration.decisions import Decisions
from pipelines.evaluation.calibration.reliability import BINS, Reliability

if TYPE_CHECKING:
    from pipelines.evaluation.calibration import Calibration


@dataclass(frozen=True, eq=False)
class Calibrated:
    """How true the probabilities are.

    Attributes:
        temperature: what the logits were divided by; None where they are as trained.
        before: split -> reliability as trained.
        after: split -> reliability of the model that comes out; the same without a temperature.
        sets: prediction sets, where the recipe asks for them.
    """

    temperature: float | None
    before: Mapping[str, Reliability]
    after: Mapping[str, Reliability]
    sets: PredictionSets | None

    @property
    def judge(self) -> str:
        """The split that says how good it is: test, which fitted nothing, where there is one."""
        return list(self.after)[-1]

    def json(self) -> dict[str, Any]:
        """What programs may want to know of it."""
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
            "ece_bins": BINS,
            **splits,
            "conformal": vars(self.sets) if self.sets else None,
        }


def measure(
    asked: "Calibration",
    temperature: float | None,
    said: Mapping[str, tuple[Any, Any]],
    problem_type: str,
    seed: int,
) -> Calibrated:
    """Compare what the model says with what is right.

    Args:
        temperature: what its logits have been divided by; None where nothing was.
        said: split -> its (rows, num_labels) logits, after that, and the targets; test last.
    """
    after = {split: Decisions.of(*pair, problem_type) for split, pair in said.items()}
    before = {
        split: found.with_temperature(1 / (temperature or 1)) for split, found in after.items()
    }
    sets = None
    if asked.conformal is not None:
        sets = conformal.measure(asked.conformal, after["validation"], after.get("test"), seed)
    return Calibrated(
        temperature,
        {split: Reliability.of(found) for split, found in before.items()},
        {split: Reliability.of(found) for split, found in after.items()},
        sets,
    )
