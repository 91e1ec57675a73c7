"""Linear support vector machine: one-vs-rest, squared hinge loss."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Head, Linear, Problem, _one_vs_rest
from pipelines.features.heads._classes import expand_to_all_classes, indicators

# with less, a loss whose slope has corners takes three times as many steps to the same accuracy
MIN_GAIN = 1e-4


class LinearSvm(Head):
    """scikit-learn's LinearSVC with its L2 penalty 1 / C, for all classes at once.

    The bias is not penalized. Logits are margins: their softmax is no probability.
    """

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    hyperparameter: ClassVar[str] = "C"
    grid: ClassVar[tuple[float, ...]] = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    weighs_labels: ClassVar[bool] = True

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[Linear]:
        """Separate each class, or each of several labels, from the others."""
        targets, classes = indicators(problem)
        for head in _one_vs_rest.solve(problem, targets, _squared_hinge, values, MIN_GAIN):
            yield expand_to_all_classes(head.weight, head.bias, classes, problem)


def _squared_hinge(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sides = 2 * targets - 1
    shortfall = np.maximum(0, 1 - sides * logits)
    return shortfall**2, -2 * sides * shortfall
