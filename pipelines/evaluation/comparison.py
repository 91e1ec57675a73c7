"""Runs that differ in what is compared: means over seeds, and differences paired by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pipelines.evaluation.compared import MIN_SEEDS, ArmDifference, ComparedArm, ComparedRun
from pipelines.evaluation.paired import PairedDifference
from pipelines.evaluation.transfer import ScorePair, Transfer


@dataclass(frozen=True)
class MeanPoint:
    """A point of a curve: the mean over seeds, and their standard deviation."""

    x: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, x: float, scores: Sequence[float]) -> Self:
        """Compute both; one score has no deviation."""
        deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
        return cls(float(x), float(np.mean(scores)), deviation)


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

    def curve(self, arm: str, fraction: float) -> tuple[MeanPoint, ...]:
        """Return the scores over the steps that every seed was evaluated at."""
        runs = self.scored(arm, fraction)
        scores: dict[float, list[float]] = {}
        for run in runs.values():
            for step, score in dict(run.curve).items():
                scores.setdefault(step, []).append(score)
        whole = (step for step, each in scores.items() if len(each) == len(runs))
        return tuple(MeanPoint.of(step, scores[step]) for step in sorted(whole))

    def efficiency(self, arm: str) -> tuple[MeanPoint, ...]:
        """Return the scores over the number of examples of train."""
        points = []
        for fraction in self.fractions:
            count, runs = self.num_examples(fraction), self.scored(arm, fraction).values()
            scores = [run.validation for run in runs if run.validation is not None]
            if count and scores:
                points.append(MeanPoint.of(count, scores))
        return tuple(points)

    def floors_by_count(self) -> dict[str, list[tuple[float, float]]]:
        """Return what is simpler over the number of examples: name -> points."""
        lines: dict[str, list[tuple[float, float]]] = {}
        for fraction in self.fractions:
            count = self.num_examples(fraction)
            for name, score in self.floors(fraction).items() if count else ():
                lines.setdefault(name, []).append((float(count or 0), score))
        return lines

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
                names = ("validation", "test", "trainable", "seconds", "peak_memory", "energy")
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
