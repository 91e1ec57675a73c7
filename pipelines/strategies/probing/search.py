"""Which features, and how strong a penalty: validation chooses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.features.heads import Head, Problem, Scaler, SolvedHead
from pipelines.training.balanced_sampler import expected_draws

if TYPE_CHECKING:
    from pipelines.training.job import Job

# training targets (examples or tokens) on which poolings, then penalties, are compared
MAX_TARGETS_FOR_POOLING = 2_500
MAX_TARGETS_FOR_PENALTY = 5_000


@dataclass(frozen=True)
class HeadTrial:
    """One head: from which features, how strongly regularized, how good on validation.

    Attributes:
        strength: the value of the head's hyperparameter.
        biased: whether the head has a bias.
    """

    pooling: str
    strength: float
    biased: bool
    score: float
    head: "SolvedHead"

    @property
    def num_parameters(self) -> int:
        """Parameters of the head, without a bias that the model has no place for."""
        layers = [layer.linear for layer in self.head.layers]
        return sum(layer.weight.size + layer.bias.size * self.biased for layer in layers)


@dataclass(frozen=True)
class HeadDataset:
    """Features of a split and their targets, flat over all examples.

    Attributes:
        features: pooling -> (targets, dim).
        targets: (targets,) class ids or numbers, or (targets, classes) of 0 and 1.
        sizes: number of targets of each example; None where that is one.
    """

    features: dict[str, np.ndarray]
    targets: np.ndarray
    sizes: list[int] | None

    @classmethod
    def of(
        cls, features: dict[str, Any], labels: Any, by_token: bool, is_regression: bool
    ) -> "HeadDataset":
        """Flatten the features and labels of an `Extractor`."""
        sizes = [len(row) for row in labels] if by_token else None
        if by_token:
            features = {pooling: np.concatenate(list(f)) for pooling, f in features.items()}
            labels = np.concatenate(list(labels))
        # passes give float32 for whatever they collect, class ids included
        return cls(features, labels if is_regression else labels.astype(int), sizes)

    def by_example(self, logits: np.ndarray) -> Any:
        """Split (targets, classes) logits into an entry for each example."""
        if self.sizes is None:
            return logits
        # the last sum is the total, at which a cut would add an empty entry
        return np.split(logits, np.cumsum(self.sizes)[:-1])


@dataclass(frozen=True)
class HeadSearch:
    """Choose features and penalty on validation, coarse to fine.

    Every pooling is tried with two strengths, then the best pooling with the whole grid, on a
    sample of train, so that choosing costs little beside the forward pass. The choice is solved on
    all of train: the penalty is a prior, which does not depend on the number of examples.

    Attributes:
        bias: whether the model's own output layer has one.
    """

    job: "Job"
    head: "Head"
    train: HeadDataset
    validation: HeadDataset
    bias: bool

    def run(self) -> tuple[HeadTrial, list[HeadTrial]]:
        """Return the chosen head and all that were tried."""
        from threadpoolctl import threadpool_limits

        # products are small: threads that wait for each other make a solver's step 8 times longer
        with threadpool_limits(1):
            return self._run()

    def _run(self) -> tuple[HeadTrial, list[HeadTrial]]:
        grid = sorted(self.head.grid)
        # of eight strengths two that lie far apart, neither at an end
        coarse = grid[1::4]
        fine = [strength for strength in grid if strength not in coarse]
        trials: list[HeadTrial] = []
        for pooling in self.train.features:
            trials += self._solve(pooling, coarse, MAX_TARGETS_FOR_POOLING)
        trials += self._solve(self._best(trials).pooling, fine, MAX_TARGETS_FOR_PENALTY)
        best = self._best(trials)
        if len(self.train.targets) > MAX_TARGETS_FOR_PENALTY:
            (best,) = self._solve(best.pooling, [best.strength], None)
        return best, trials

    def _best(self, trials: list[HeadTrial]) -> HeadTrial:
        """Return the best trial; of equals the first, which the plain class can hold."""
        sign = 1 if self.job.scorer.greater_is_better else -1
        # `head` is tried first; a pooling has to be better to be worth another library
        return max(trials, key=lambda trial: sign * trial.score)

    def record(self, trial: HeadTrial) -> dict[str, Any]:
        """Describe a trial for the history."""
        return {
            "pooling": trial.pooling,
            self.head.hyperparameter: trial.strength,
            f"validation_{self.job.scorer.main}": trial.score,
        }

    def _solve(
        self, pooling: str, strengths: list[float], limit: int | None
    ) -> Iterator[HeadTrial]:
        """Solve a head for each strength, on at most `limit` targets of train, and score it."""
        job, train = self.job, self.train
        rows = np.random.default_rng(job.arguments.seed).permutation(len(train.targets))[:limit]
        targets = train.targets[rows]
        # other poolings are saved with a dense layer, which has a bias; the model's own output
        # layer may have none, and then nothing could take up the mean: W (x - mean) = W x - W mean
        biased = self.bias or pooling != "head"
        scaler = Scaler.of(train.features[pooling][rows], center=biased)
        problem = Problem(
            features=scaler(train.features[pooling][rows]),
            targets=targets,
            num_labels=job.labels.num_labels,
            bias=biased,
            weights=self._weights(targets, rows),
        )
        for strength, solved in zip(strengths, self.head.solve(problem, strengths), strict=True):
            folded = scaler.fold(solved)
            logits = self.validation.by_example(folded(self.validation.features[pooling]))
            score = job.main_score({"logits": logits})
            yield HeadTrial(pooling, strength, biased, score, folded)

    def _weights(self, targets: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Weigh targets as in gradient steps: by their classes, or as often as they are drawn."""
        job = self.job
        if job.row_groups is not None:
            return expected_draws(job.row_groups, len(self.train.targets))[rows]
        weigh = getattr(job.loss, "target_weights", None)
        return weigh(targets) if weigh else None
