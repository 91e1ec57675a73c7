"""Logistic regression by L-BFGS: softmax for single labels, one-vs-rest for several."""

import warnings
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Head, Linear, Problem, _one_vs_rest
from pipelines.features.heads._classes import expand_to_all_classes, indicators


class LogisticRegression(Head):
    """scikit-learn's LogisticRegression, with its L2 penalty 1 / C."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    hyperparameter: ClassVar[str] = "C"
    grid: ClassVar[tuple[float, ...]] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0, 10.0)
    weighs_labels: ClassVar[bool] = True

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[Linear]:
        """Fit one softmax for single labels, or one sigmoid for each of several labels."""
        if problem.problem_type == SINGLE:
            return _softmax(problem, values)
        targets, _ = indicators(problem)
        return _one_vs_rest.solve(problem, targets, _log_loss, values)


def _softmax(problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
    from sklearn.linear_model import LogisticRegression

    features, targets, bias = problem.features, problem.targets, problem.bias
    classes = np.unique(targets)
    if len(classes) == 1:  # scikit-learn refuses to fit a single class
        zeros = np.zeros((1, features.shape[1]))
        for _ in strengths:
            yield expand_to_all_classes(zeros, np.zeros(1), classes, problem)
        return
    steps = _one_vs_rest.MAX_STEPS
    model = LogisticRegression(fit_intercept=bias, max_iter=steps, warm_start=True)
    for strength in strengths:
        # with little penalty, separable classes converge slowly to what validation would not choose
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "lbfgs failed to converge")
            model.set_params(C=strength).fit(features, targets, problem.weights)
        offsets = np.broadcast_to(model.intercept_, len(model.coef_))
        yield expand_to_all_classes(model.coef_, offsets, classes, problem)


def _log_loss(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import expit

    return np.logaddexp(0, logits) - targets * logits, expit(logits) - targets
