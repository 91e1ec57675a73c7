"""Ridge regression, for numbers."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.heads import Head, Linear, Problem
from pipelines.labels import REGRESSION


class Ridge(Head):
    """scikit-learn's, with its L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (REGRESSION,)
    strength: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0, 100.0, 1e3, 3e3, 1e4, 1e5)

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """One row of weights."""
        from sklearn import linear_model

        for alpha in strengths:
            model = linear_model.Ridge(alpha=alpha, fit_intercept=problem.bias)
            model.fit(problem.features, problem.targets, problem.weights)
            yield Linear(model.coef_.reshape(1, -1), np.ravel(model.intercept_))
