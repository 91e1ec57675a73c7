"""Ridge regression, for numbers."""

from typing import ClassVar

import numpy as np

from pipelines.heads import Head, Linear
from pipelines.labels import REGRESSION


class Ridge(Head):
    """scikit-learn's, with its L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (REGRESSION,)
    strength: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0, 100.0, 1e3, 3e3, 1e4, 1e5)

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        num_labels: int,
        strength: float,
        bias: bool,
        weights: np.ndarray | None = None,
    ) -> Linear:
        """One row of weights."""
        from sklearn import linear_model

        model = linear_model.Ridge(alpha=strength, fit_intercept=bias)
        model.fit(features, targets, weights)
        return Linear(model.coef_.reshape(1, -1), np.ravel(model.intercept_))
