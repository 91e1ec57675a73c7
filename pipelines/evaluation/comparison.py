"""Runs that differ in what is compared: means over seeds, and differences paired by seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pipelines.evaluation.paired import CONFIDENCE, PairedDifference, Verdict
from pipelines.evaluation.transfer import ScorePair, Transfer

MIN_SEEDS = (
    3  # for a verdict: with two, Student's t gives an interval 18 times as wide as with many
)


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


@dataclass(frozen=True)
class Comparison:
    """What was compared, and every number of it.

    Attributes:
        metric: the key of the main score; validation, or folds of train, compare by it.
        budget: how long arms trained, in words.
        folder: where the comparison is kept; empty where finished runs are compared.
    """

    metric: str
    greater_is_better: bool
    arms: tuple[ComparedArm, ...]
    runs: tuple[ComparedRun, ...]
    budget: str = ""
    folder: str = ""

    @property
    def fractions(self) -> tuple[float, ...]:
        """The shares of train, the smallest first."""
        return tuple(sorted({run.fraction for run in self.runs}))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in their order."""
        return tuple(sorted({run.seed for run in self.runs}))

    def scored(self, arm: str, fraction: float) -> dict[int, ComparedRun]:
        """Return the runs of an arm that have a score: seed -> run."""
        of_arm = (run for run in self.runs if (run.arm, run.fraction) == (arm, fraction))
        return {run.seed: run for run in of_arm if run.validation is not None}

    def mean(self, arm: str, fraction: float, name: str = "validation") -> float | None:
        """Return the mean over seeds of a field of ComparedRun; None where no run has it."""
        values = [getattr(run, name) for run in self.scored(arm, fraction).values()]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    def deviation(self, arm: str, fraction: float) -> float | None:
        """Return the standard deviation of the main score over seeds; None with fewer than two."""
        values = [run.validation for run in self.scored(arm, fraction).values()]
        return float(np.std(np.array(values, float), ddof=1)) if len(values) > 1 else None

    def num_examples(self, fraction: float) -> int | None:
        """Return how many examples of train a share has."""
        counts = (r.examples.get("train") for r in self.runs if r.fraction == fraction)
        return next((count for count in counts if count), None)

    def floors(self, fraction: float) -> dict[str, float]:
        """Return what is simpler than any arm: name -> mean of its main score over runs."""
        scores: dict[str, list[float]] = {}
        for run in self.runs:
            for name, score in run.floors.items() if run.fraction == fraction else ():
                scores.setdefault(name, []).append(score)
        return {name: float(np.mean(values)) for name, values in scores.items()}

    def best(self, fraction: float) -> str | None:
        """Return the arm with the best mean on validation, the first of equals."""
        means = {arm.name: self.mean(arm.name, fraction) for arm in self.arms}
        known = {name: self._sign * mean for name, mean in means.items() if mean is not None}
        return max(known, key=lambda name: known[name], default=None)

    def difference(self, arm: str, other: str, fraction: float) -> ArmDifference | None:
        """Return how much better an arm is than another; None where they have no seed in common.

        With fewer than MIN_SEEDS seeds, rows that both predicted stand in for them, if there are
        any: of one seed, so that they say nothing about others.
        """
        ours, theirs = self.scored(arm, fraction), self.scored(other, fraction)
        common = [seed for seed in ours if seed in theirs]
        if not common:
            return None
        pairs = [(ours[seed], theirs[seed]) for seed in common]
        first, second = pairs[0]
        if len(pairs) < MIN_SEEDS and first.correct and len(first.correct) == len(second.correct):
            rows = np.array(first.correct, float) - np.array(second.correct, float)
            return ArmDifference(PairedDifference(tuple(rows.tolist())), "rows")
        scores = ((one.validation or 0.0, two.validation or 0.0) for one, two in pairs)
        differences = tuple(self._sign * (one - two) for one, two in scores)
        return ArmDifference(PairedDifference(differences), "seeds")

    def transfer(self, arm: ComparedArm, fraction: float) -> Transfer | None:
        """Return what pretrained weights are worth; None where too few seeds compare them."""
        if not arm.is_against_scratch or arm.reference is None:
            return None
        difference = self.difference(arm.name, arm.reference, fraction)
        if difference is None or difference.verdict is None:
            return None
        ours, theirs = self.scored(arm.name, fraction), self.scored(arm.reference, fraction)
        baseline = self.floors(fraction).get("baseline", float("nan"))
        pairs = tuple(
            ScorePair(seed, run.validation or 0.0, theirs[seed].validation or 0.0, baseline)
            for seed, run in ours.items()
            if seed in theirs
        )
        num_rows = next(iter(ours.values())).examples.get("validation", 0)
        return Transfer(
            checkpoint=arm.checkpoint,
            strategy=arm.strategy,
            metric=self.metric,
            greater_is_better=self.greater_is_better,
            num_rows=num_rows,
            budget=self.budget,
            pairs=pairs,
        )

    def json(self) -> dict[str, Any]:
        """Return every number as plain values."""
        return {
            "metric": self.metric,
            "greater_is_better": self.greater_is_better,
            "budget": self.budget,
            "seeds": self.seeds,
            "arms": [vars(arm) for arm in self.arms],
            "rows": [*self._rows()],
            "floors": [{"fraction": f, "scores": self.floors(f)} for f in self.fractions],
            "runs": [run.json() for run in self.runs],
        }

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row of the table for each arm on each share of train."""
        for fraction in self.fractions:
            for arm in self.arms:
                names = ("validation", "test", "trainable", "seconds", "peak_memory")
                other = arm.reference or arm.name
                difference = self.difference(arm.name, other, fraction)
                yield {
                    "arm": arm.name,
                    "fraction": fraction,
                    "examples": self.num_examples(fraction),
                    "seeds": len(self.scored(arm.name, fraction)),
                    **{name: self.mean(arm.name, fraction, name) for name in names},
                    "deviation": self.deviation(arm.name, fraction),
                    "difference": difference.json() if difference and arm.reference else None,
                }

    @property
    def _sign(self) -> int:
        return 1 if self.greater_is_better else -1
