"""Ridge regression: for numbers, and for classes as numbers of 1 and -1."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Linear, Problem
from pipelines.features.heads._classes import indicators, placed


class Ridge(Head):
    """scikit-learn's, with its L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (REGRESSION, SINGLE, MULTI)
    strength: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0, 100.0, 1e3, 3e3, 1e4, 1e5)

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """A row of weights for the number, or for each class."""
        from sklearn import linear_model

        targets, classes = problem.targets, np.zeros(1, int)
        if problem.problem_type != REGRESSION:
            there, classes = indicators(problem)
            targets = 2 * there - 1
        for alpha in strengths:
            model = linear_model.Ridge(alpha=alpha, fit_intercept=problem.bias)
            model.fit(problem.features, targets, problem.weights)
            weight = model.coef_.reshape(-1, problem.features.shape[1])
            bias = np.broadcast_to(model.intercept_, len(weight))
            yield placed(weight, bias, classes, problem)
