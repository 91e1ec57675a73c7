"""k-nearest neighbors: every example of train votes, the near ones count (arXiv 1805.01978)."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Layer, Linear, MLPHead, Problem

UNANIMOUS_LOG_ODDS = 4.0  # of a class that has all votes


class NearestNeighbors(Head):
    """Votes weighted by softmax(cos(x, x_i) / temperature), as DINO's (arXiv 2104.14294).

    All rows vote instead of the first k, since the temperature lets the far ones vanish. So the
    whole is three layers: standardize and normalize, similarities to the examples of train, votes.
    For numbers it is the weighted mean of theirs (Nadaraya and Watson, 1964).
    """

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI, REGRESSION)
    hyperparameter: ClassVar[str] = "temperature"
    grid: ClassVar[tuple[float, ...]] = (0.01, 0.02, 0.03, 0.04, 0.055, 0.07, 0.1, 0.2)
    is_deep: ClassVar[bool] = True

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[MLPHead]:
        """Build a head for each temperature; all of them hold the same examples."""
        rows, dim = problem.features.shape
        normalized = Layer.normalize(dim)
        # a row that counts twice has twice the exponential: its logarithm is a bias
        log_counts = np.zeros(rows) if problem.weights is None else np.log(problem.weights)
        examples = normalized(problem.features)
        votes = Layer(_votes(problem), "identity")
        for temperature in values:
            similarity = Linear(examples / np.float32(temperature), log_counts.astype(np.float32))
            yield MLPHead((normalized, Layer(similarity, "softmax"), votes))


def _votes(problem: Problem) -> Linear:
    """Map (rows,) weights with a sum of 1 to logits.

    The logit of a class grows with its share of the votes, so that the log odds of a class with all
    votes are `UNANIMOUS_LOG_ODDS`. Logarithms of the shares would be exact, and would need a layer
    that no library has.
    """
    targets = problem.targets
    if problem.problem_type == REGRESSION:
        weight, bias = targets[None], np.zeros(1)
    elif problem.problem_type == MULTI:
        weight = 2 * UNANIMOUS_LOG_ODDS * targets.T
        bias = np.full(targets.shape[1], -UNANIMOUS_LOG_ODDS)
    else:
        classes = np.arange(problem.num_labels)
        # softmax spreads over all other classes: their number has to be outweighed, too
        scale = UNANIMOUS_LOG_ODDS + np.log(max(problem.num_labels - 1, 1))
        weight, bias = scale * (targets == classes[:, None]), np.zeros(len(classes))
    return Linear(weight.astype(np.float32), bias.astype(np.float32))
