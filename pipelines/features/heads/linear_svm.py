"""Linear support vector machine: one-vs-rest, squared hinge loss."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Head, Linear, Problem, _one_vs_rest
from pipelines.features.heads._classes import indicators, placed

GAIN = 1e-4  # with less, a loss with corners takes three times as many steps to the same accuracy


class LinearSvm(Head):
    """scikit-learn's LinearSVC with its L2 penalty 1 / C, for all classes at once; the bias is not
    penalized. What it gives are margins: their softmax is no probability."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    strength: ClassVar[str] = "C"
    grid: ClassVar[tuple[float, ...]] = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """Each class, or each of several labels, against the others."""
        targets, classes = indicators(problem)
        for solved in _one_vs_rest.path(problem, targets, _squared_hinge, strengths, GAIN):
            yield placed(solved.weight, solved.bias, classes, problem)


def _squared_hinge(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sides = 2 * targets - 1
    lacking = np.maximum(0, 1 - sides * logits)
    return lacking**2, -2 * sides * lacking
