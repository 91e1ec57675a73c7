"""Logistic regression by L-BFGS: softmax for single labels, one-vs-rest for several."""

import warnings
from typing import Any, ClassVar

import numpy as np

from pipelines.heads import Head, Linear
from pipelines.labels import MULTI, SINGLE


class LogisticRegression(Head):
    """scikit-learn's, with its L2 penalty 1 / C."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    strength: ClassVar[str] = "C"
    grid: ClassVar[tuple[float, ...]] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0, 10.0)

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        num_labels: int,
        strength: float,
        bias: bool,
        weights: np.ndarray | None = None,
    ) -> Linear:
        """Single labels: one softmax; several labels: one sigmoid for each."""
        if targets.ndim == 2:
            columns = [self._binary(features, c, strength, bias, weights) for c in targets.T]
            rows, biases = zip(*columns, strict=True)
            return Linear(np.stack(rows), np.array(biases))
        weight = np.zeros((num_labels, features.shape[1]))
        offset = np.full(num_labels, -1e4 if bias else 0.0)  # a class that train lacks
        if len(np.unique(targets)) == 1:
            offset[targets[0]] = 0.0
            return Linear(weight, offset)
        model = self._fit(features, targets, strength, bias, weights)
        if len(model.classes_) == 2:
            # scikit-learn keeps one row for two classes; halves of it give the same softmax
            weight[model.classes_] = np.vstack([-model.coef_ / 2, model.coef_ / 2])
            offset[model.classes_] = np.array([-1, 1]) * model.intercept_ / 2
        else:
            weight[model.classes_], offset[model.classes_] = model.coef_, model.intercept_
        return Linear(weight, offset)

    def _binary(
        self,
        features: np.ndarray,
        column: np.ndarray,
        strength: float,
        bias: bool,
        weights: np.ndarray | None,
    ) -> tuple[np.ndarray, float]:
        if len(np.unique(column)) == 1:
            always = 10.0 if column[0] else -10.0
            return np.zeros(features.shape[1]), always if bias else 0.0
        model = self._fit(features, column, strength, bias, weights)
        return model.coef_[0], float(np.ravel(model.intercept_)[0])

    def _fit(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        strength: float,
        bias: bool,
        weights: np.ndarray | None,
    ) -> Any:
        from sklearn import linear_model
        from sklearn.exceptions import ConvergenceWarning

        model = linear_model.LogisticRegression(C=strength, fit_intercept=bias, max_iter=300)
        with warnings.catch_warnings():
            # weak penalties need not converge: validation judges what came out
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(features, targets, weights)
