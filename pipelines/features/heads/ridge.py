"""Ridge regression: for numbers, and for classes as numbers of 1 and -1."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Linear, Problem
from pipelines.features.heads._classes import expand_to_all_classes, indicators


class Ridge(Head):
    """scikit-learn's Ridge, with its L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (REGRESSION, SINGLE, MULTI)
    hyperparameter: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0, 100.0, 1e3, 3e3, 1e4, 1e5)

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[Linear]:
        """Fit a row of weights for the number, or for each class."""
        from sklearn import linear_model

        targets, classes = problem.targets, np.zeros(1, int)
        if problem.problem_type != REGRESSION:
            has_class, classes = indicators(problem)
            # as scikit-learn's RidgeClassifier: the sign decides, with a bias or without
            targets = 2 * has_class - 1
        for alpha in values:
            model = linear_model.Ridge(alpha=alpha, fit_intercept=problem.bias)
            model.fit(problem.features, targets, problem.weights)
            weight = model.coef_.reshape(-1, problem.features.shape[1])
            bias = np.broadcast_to(model.intercept_, len(weight))
            yield expand_to_all_classes(weight, bias, classes, problem)
