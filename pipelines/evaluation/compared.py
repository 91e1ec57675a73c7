"""What is compared: runs, arms, and how much better an arm is than another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipelines.evaluation.paired import CONFIDENCE, PairedDifference, Verdict

# for a verdict: with two, Student's t gives an interval 18 times as wide as with many
MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """The numbers of a run: an arm with one seed on a share of train.

    Attributes:
        fraction: of the examples of train; 1 is all of them.
        folder: of the run, below that of the comparison.
        problem: why there are no numbers; empty where there are.
        validation, test: the main score.
        floors: name of what is simpler, such as "baseline" -> its main score on validation.
        peak_memory: bytes; of the GPU, or else of the whole process.
        energy: joules of training; None where the machine does not count them.
        examples: split -> number of examples.
        curve: (step, main score) of each evaluation during training.
        correct: whether each row of validation was right; empty where rows have no accuracy.
    """

    arm: str
    seed: int
    fraction: float = 1.0
    folder: str = ""
    problem: str = ""
    validation: float | None = None
    test: float | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    trainable: float | None = None
    parameters: float | None = None
    seconds: float | None = None
    peak_memory: float | None = None
    energy: float | None = None
    examples: Mapping[str, int] = field(default_factory=dict)
    curve: tuple[tuple[float, float], ...] = ()
    correct: tuple[bool, ...] = ()

    def json(self) -> dict[str, Any]:
        """Return all but the rows, which stand in the run's own folder, as plain values."""
        return {name: value for name, value in vars(self).items() if name != "correct"}


@dataclass(frozen=True)
class ComparedArm:
    """What is compared, with every seed.

    Attributes:
        reference: the name of the arm that it is compared with; None of a reference itself.
        is_against_scratch: whether the reference has random weights, and this one has not.
        overrides: of the recipe, as they would be typed; none of finished runs.
    """

    name: str
    strategy: str
    checkpoint: str
    reference: str | None = None
    is_against_scratch: bool = False
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmDifference:
    """How much better an arm is than another: differences over seeds, or over rows of one seed."""

    paired: PairedDifference
    over: Literal["seeds", "rows"]

    @property
    def is_constant(self) -> bool:
        """Whether every pair has the same difference, so that it has no interval."""
        return len({*self.paired.differences}) == 1

    @property
    def interval(self) -> tuple[float, float] | None:
        """Bounds of the mean difference; None where pairs are too few, or all the same."""
        if len(self.paired.differences) < MIN_SEEDS or self.is_constant:
            return None
        return self.paired.interval

    @property
    def verdict(self) -> Verdict | None:
        """Which of both is better; None without an interval over seeds."""
        return self.paired.verdict if self.over == "seeds" and self.interval else None

    def json(self) -> dict[str, Any]:
        """Return it as plain values, with the method of the interval."""
        return {
            "mean": self.paired.mean,
            "interval": self.interval,
            "confidence": CONFIDENCE,
            "method": f"Student's t over differences paired by {self.over[:-1]}",
            "pairs": len(self.paired.differences),
            "verdict": self.verdict,
        }
