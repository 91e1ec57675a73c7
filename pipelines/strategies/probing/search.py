"""Which features, and how strong a penalty: validation chooses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.features.heads import Head, Problem, Scaler, SolvedHead

if TYPE_CHECKING:
    from pipelines.training.job import Job

FEW, MANY = 2_500, 5_000  # answers on which a pooling, and a strength, is chosen


@dataclass(frozen=True)
class Trial:
    """One head: from which features, how strongly regularized, how good on validation."""

    pooling: str
    strength: float
    biased: bool
    score: float
    head: "SolvedHead"

    @property
    def num_parameters(self) -> int:
        """Of the head; a bias that the model has no place for is none."""
        layers = [layer.linear for layer in self.head.layers]
        return sum(layer.weight.size + layer.bias.size * self.biased for layer in layers)


@dataclass(frozen=True)
class Answers:
    """Features of a split and the labels that belong to them, flat over all examples.

    Attributes:
        features: pooling -> (answers, dim).
        targets: (answers,) class ids or numbers, or (answers, classes) of 0 and 1.
        sizes: how many answers each example has, where that is not one.
    """

    features: dict[str, np.ndarray]
    targets: np.ndarray
    sizes: list[int] | None

    @classmethod
    def of(
        cls, features: dict[str, Any], labels: Any, by_token: bool, is_regression: bool
    ) -> "Answers":
        """From what an `Extractor` gives."""
        sizes = [len(row) for row in labels] if by_token else None
        if by_token:
            features = {pooling: np.concatenate(list(f)) for pooling, f in features.items()}
            labels = np.concatenate(list(labels))
        return cls(features, labels if is_regression else labels.astype(int), sizes)

    def by_example(self, logits: np.ndarray) -> Any:
        """(answers, classes) -> an entry for each example."""
        if self.sizes is None:
            return logits
        return np.split(logits, np.cumsum(self.sizes)[:-1])


@dataclass(frozen=True)
class Search:
    """Which features, and how strongly regularized: validation chooses, coarse to fine.

    Every pooling is tried with two strengths, then the best pooling with the whole grid; on a part
    of the answers of train, so that choosing costs little beside the forward pass. What was
    chosen is solved on all of them: the penalty is a prior, and does not depend on their number.
    """

    job: "Job"
    head: "Head"
    train: Answers
    validation: Answers
    bias: bool  # whether the model's own output layer has one

    def run(self) -> tuple[Trial, list[Trial]]:
        """The head that was chosen, and all that were tried."""
        from threadpoolctl import threadpool_limits

        # small products: threads that wait for each other make a step of the solver 8 times longer
        with threadpool_limits(1):
            return self._run()

    def _run(self) -> tuple[Trial, list[Trial]]:
        grid = sorted(self.head.grid)
        coarse = grid[1::4]
        trials = [t for pooling in self.train.features for t in self._path(pooling, coarse, FEW)]
        fine = [strength for strength in grid if strength not in coarse]
        trials += self._path(self._best(trials).pooling, fine, MANY)
        best = self._best(trials)
        if len(self.train.targets) > MANY:
            (best,) = self._path(best.pooling, [best.strength], None)
        return best, trials

    def _best(self, trials: list[Trial]) -> Trial:
        """The first of equals: the plain class before a pooling that needs another library."""
        sign = 1 if self.job.scorer.greater_is_better else -1
        return max(trials, key=lambda trial: sign * trial.score)

    def record(self, trial: Trial) -> dict[str, Any]:
        """A trial as the history keeps it."""
        return {
            "pooling": trial.pooling,
            self.head.hyperparameter: trial.strength,
            f"validation_{self.job.scorer.main}": trial.score,
        }

    def _path(self, pooling: str, strengths: list[float], most: int | None) -> Iterator[Trial]:
        job, train = self.job, self.train
        rows = np.random.default_rng(job.arguments.seed).permutation(len(train.targets))[:most]
        targets = train.targets[rows]
        weights = getattr(job.loss, "weights", None)
        biased = self.bias or pooling != "head"
        scaler = Scaler.of(train.features[pooling][rows], center=biased)
        problem = Problem(
            features=scaler(train.features[pooling][rows]),
            targets=targets,
            num_labels=job.labels.num_labels,
            bias=biased,
            weights=None if weights is None else weights[targets],
        )
        for strength, solved in zip(strengths, self.head.solve(problem, strengths), strict=True):
            folded = scaler.fold(solved)
            logits = self.validation.by_example(folded(self.validation.features[pooling]))
            score = job.main_score({"logits": logits})
            yield Trial(pooling, strength, biased, score, folded)
