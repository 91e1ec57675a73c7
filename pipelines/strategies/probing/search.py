"""Which features, and how strong a penalty: validation chooses, or folds of train."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.features.heads import Head, Problem, Scaler, SolvedHead, without_absent
from pipelines.strategies.probing.head_dataset import HeadDataset
from pipelines.strategies.probing.trial import (
    HeadTrial,
    SolvedTrial,
    best_pooling,
    best_strength,
)
from pipelines.training.row_subset import examples_of

if TYPE_CHECKING:
    from pipelines.training.job import Job

# training targets (examples or tokens) on which poolings, then penalties, are compared
MAX_TARGETS_FOR_POOLING = 2_500
MAX_TARGETS_FOR_PENALTY = 5_000


@dataclass(frozen=True)
class HeadSearch:
    """Choose features and penalty, coarse to fine: on validation, or by cross-validation.

    Every pooling is tried with two strengths, then the best pooling with the whole grid, on a
    sample of train, so that choosing costs little beside the forward pass. The choice is solved on
    all of train: the penalty is a prior, which does not depend on the number of examples.

    Where the job has folds, `validation` is train itself, and every row is scored by a head that
    was solved on the other folds.

    Attributes:
        bias: whether the model's own output layer has one.
        factors: pooling -> (dim,) factors of its standardized features; left out: 1.
    """

    job: "Job"
    head: "Head"
    train: HeadDataset
    validation: HeadDataset
    bias: bool
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)

    def run(self) -> tuple[SolvedTrial, list[HeadTrial]]:
        """Return the chosen head and all that were tried."""
        from threadpoolctl import threadpool_limits

        # products are small: threads that wait for each other make a solver's step 8 times longer
        with threadpool_limits(1):
            return self._run()

    def _run(self) -> tuple[SolvedTrial, list[HeadTrial]]:
        grid, greater = sorted(self.head.grid), self.job.scorer.greater_is_better
        # of eight strengths two that lie far apart, neither at an end
        coarse = grid[1::4]
        fine = [strength for strength in grid if strength not in coarse]
        trials: list[HeadTrial] = []
        for pooling in self.train.features:
            trials += self._try(pooling, coarse, MAX_TARGETS_FOR_POOLING)
        chosen = best_pooling(trials, greater_is_better=greater)
        trials += self._try(chosen, fine, MAX_TARGETS_FOR_PENALTY)
        of_pooling = [trial for trial in trials if trial.pooling == chosen]
        return self._solved(best_strength(of_pooling, greater_is_better=greater)), trials

    def record(self, trial: HeadTrial) -> dict[str, Any]:
        """Describe a trial for the history."""
        rows = "validation" if self.job.choosing_folds is None else "folds"
        return {
            "pooling": trial.pooling,
            self.head.hyperparameter: trial.strength,
            f"{rows}_{self.job.scorer.main}": trial.score,
        }

    def _try(self, pooling: str, strengths: list[float], limit: int) -> Iterator[HeadTrial]:
        """Score a head for each strength, solved on at most `limit` targets of train."""
        for strength, logits in zip(
            strengths, self._logits(pooling, strengths, limit), strict=True
        ):
            outputs = self._outputs(logits)
            # as many scores as folds, by which poolings are compared
            values = self.job.pseudo_values(outputs) if len(self.train.features) > 1 else ()
            yield HeadTrial(pooling, strength, self.job.main_score(outputs), values)

    def _solved(self, trial: HeadTrial) -> SolvedTrial:
        """Solve the head of a trial on all of train."""
        pooling, strengths = trial.pooling, [trial.strength]
        (head,) = self._solve(pooling, strengths, np.arange(len(self.train.targets)))
        out_of_fold = None
        if self.folds is None:
            logits = head(self.validation.features[pooling])
        else:
            (logits,) = self._logits(pooling, strengths, None)
            out_of_fold = logits
        score = self.job.main_score(self._outputs(logits))
        return SolvedTrial(
            pooling,
            trial.strength,
            score,
            head=head,
            biased=self._biased(pooling),
            out_of_fold=out_of_fold,
        )

    def _outputs(self, logits: np.ndarray) -> dict[str, Any]:
        return {"logits": self.validation.by_example(logits)}

    def _biased(self, pooling: str) -> bool:
        # other poolings are saved with a dense layer, which has a bias; the model's own output
        # layer may have none, and then nothing could take up the mean: W (x - mean) = W x - W mean
        return self.bias or pooling != "head"

    @cached_property
    def weights(self) -> np.ndarray | None:
        """How many times each target of train counts; None: once."""
        return self.job.target_weights(self.train.targets)

    @cached_property
    def folds(self) -> np.ndarray | None:
        """(targets,) the fold of each target of train, that of its example; None without folds."""
        folds, sizes = self.job.folds, self.train.sizes
        if folds is None or sizes is None:
            return folds
        return np.repeat(folds[examples_of(self.job.train)], sizes)

    def _logits(
        self, pooling: str, strengths: list[float], limit: int | None
    ) -> Iterable[np.ndarray]:
        """Return (targets, num_labels) logits on validation for each strength."""
        if self.folds is not None:
            return self._out_of_fold(self.folds, pooling, strengths, limit)
        features = self.validation.features[pooling]
        rows = self._sample(np.arange(len(self.train.targets)), limit)
        return (head(features) for head in self._solve(pooling, strengths, rows))

    def _out_of_fold(
        self, folds: np.ndarray, pooling: str, strengths: list[float], limit: int | None
    ) -> list[np.ndarray]:
        """Return the logits of each row by heads that were solved on the other folds."""
        features = self.train.features[pooling]
        shape = len(folds), self.job.labels.num_labels
        logits = [np.zeros(shape) for _ in strengths]
        for fold in np.unique(folds):
            is_held = folds == fold
            rows = self._sample(np.flatnonzero(~is_held), limit)
            for values, head in zip(logits, self._solve(pooling, strengths, rows), strict=True):
                values[is_held] = head(features[is_held])
        is_single = self.train.targets.ndim == 1 and self.train.targets.dtype.kind == "i"
        return [without_absent(values) for values in logits] if is_single else logits

    def _sample(self, rows: np.ndarray, limit: int | None) -> np.ndarray:
        """Draw at most `limit` of these rows of train."""
        if limit is None or len(rows) <= limit:
            return rows
        return np.random.default_rng(self.job.arguments.seed).permutation(rows)[:limit]

    def _solve(
        self, pooling: str, strengths: list[float], rows: np.ndarray
    ) -> Iterator[SolvedHead]:
        """Solve a head for each strength on these rows of train."""
        features, targets = self.train.features[pooling][rows], self.train.targets[rows]
        biased = self._biased(pooling)
        scaler = Scaler.of(features, center=biased)
        if pooling in self.factors:
            scaler = scaler.times(self.factors[pooling])
        problem = Problem(
            features=scaler(features),
            targets=targets,
            num_labels=self.job.labels.num_labels,
            bias=biased,
            weights=None if self.weights is None else self.weights[rows],
        )
        return map(scaler.fold, self.head.solve(problem, strengths))
