"""k-nearest neighbors: every example of train votes, the near ones count (arXiv 1805.01978)."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Layer, Linear, MLPHead, Problem

SURE = 4.0  # the log odds of what all votes are for


class NearestNeighbors(Head):
    """Votes weighted by softmax(cos(x, x_i) / temperature), as DINO's (arXiv 2104.14294).

    Of all rows instead of the first k, since the temperature lets the far ones vanish: so the
    whole is three layers (standardize and normalize, similarities, votes), the second of which
    holds the examples of train. For numbers it is the mean of theirs (Nadaraya and Watson, 1964).
    """

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI, REGRESSION)
    strength: ClassVar[str] = "temperature"
    grid: ClassVar[tuple[float, ...]] = (0.01, 0.02, 0.03, 0.04, 0.055, 0.07, 0.1, 0.2)
    is_deep: ClassVar[bool] = True

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[MLPHead]:
        """The same examples, looked at more or less sharply."""
        rows, dim = problem.features.shape
        same = Linear(np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32))
        normalized = Layer(same, "normalize")
        counts = np.zeros(rows) if problem.weights is None else np.log(problem.weights)
        near = normalized(problem.features)
        votes = Layer(_votes(problem), "identity")
        for temperature in strengths:
            similar = Linear(near / np.float32(temperature), counts.astype(np.float32))
            yield MLPHead((normalized, Layer(similar, "softmax"), votes))


def _votes(problem: Problem) -> Linear:
    """(rows,) weights whose sum is 1 -> logits.

    That of a class grows with its share of the votes, up to what makes it as likely as `SURE` says;
    logarithms of shares would need a layer that no library has.
    """
    targets = problem.targets
    if problem.problem_type == REGRESSION:
        weight, bias = targets[None], np.zeros(1)
    elif problem.problem_type == MULTI:
        weight, bias = 2 * SURE * targets.T, np.full(targets.shape[1], -SURE)
    else:
        classes = np.arange(problem.num_labels)
        scale = SURE + np.log(max(problem.num_labels - 1, 1))
        weight, bias = scale * (targets == classes[:, None]), np.zeros(len(classes))
    return Linear(weight.astype(np.float32), bias.astype(np.float32))
