"""Logistic regression by L-BFGS: softmax for single labels, one-vs-rest for several."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from pipelines.heads import Head, Linear, Problem
from pipelines.labels import MULTI, SINGLE

MOST = 300  # steps of the solver: what is hardly penalised need not converge, validation judges it
ALWAYS = 10.0  # the logit of a label that stands on all examples of train


class LogisticRegression(Head):
    """scikit-learn's, with its L2 penalty 1 / C."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    strength: ClassVar[str] = "C"
    grid: ClassVar[tuple[float, ...]] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0, 10.0)

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """Single labels: one softmax; several labels: one sigmoid for each."""
        return (_softmax if problem.targets.ndim == 1 else _sigmoids)(problem, strengths)


def _softmax(problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
    from sklearn.linear_model import LogisticRegression

    features, targets, bias = problem.features, problem.targets, problem.bias
    lacking = np.full(problem.num_labels, -1e4 if bias else 0.0)  # classes that train lacks
    nothing = Linear(np.zeros((problem.num_labels, features.shape[1])), lacking)
    if len(np.unique(targets)) == 1:
        nothing.bias[targets[0]] = 0.0
        yield from (nothing for _ in strengths)
        return
    model = LogisticRegression(fit_intercept=bias, max_iter=MOST, warm_start=True)
    for strength in strengths:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "lbfgs failed to converge")
            model.set_params(C=strength).fit(features, targets, problem.weights)
        yield _spread(model, nothing)


def _spread(model: Any, nothing: Linear) -> Linear:
    """scikit-learn's rows at the places of their classes; it keeps one row for two classes, halves
    of which give the same softmax."""
    weight, bias = nothing.weight.copy(), nothing.bias.copy()
    rows, offsets = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        rows, offsets = np.vstack([-rows / 2, rows / 2]), np.array([-1, 1]) * offsets / 2
    weight[model.classes_], bias[model.classes_] = rows, offsets
    return Linear(weight, bias)


def _sigmoids(problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
    """All labels at once: their losses are a sum, and one product of matrices is faster than many
    of vectors."""
    from scipy.optimize import minimize

    features, targets = problem.features, problem.targets.astype(np.float32)
    dim, count = features.shape[1], targets.shape[1]
    # what is the same everywhere has no finite solution
    varies = (targets.min(0) != targets.max(0)).astype(np.float32)
    found = np.zeros((count, dim + 1))
    for strength in strengths:
        loss = _SumOfLosses(problem, targets, varies, strength)
        options = {"maxiter": MOST, "gtol": 1e-4 * len(features)}
        found = minimize(loss, found.ravel(), jac=True, method="L-BFGS-B", options=options).x
        found = found.reshape(count, dim + 1)
        always = np.where(varies, found[:, -1], np.where(targets[0], ALWAYS, -ALWAYS))
        yield Linear(found[:, :-1].copy(), always if problem.bias else np.zeros(count))


class _SumOfLosses:
    """(labels * (dim + 1),) weights and biases -> penalised loss and its gradient."""

    def __init__(
        self, problem: Problem, targets: np.ndarray, varies: np.ndarray, strength: float
    ) -> None:
        self.features, self.targets, self.strength = problem.features, targets, strength
        self.counts = varies * (1.0 if problem.weights is None else problem.weights[:, None])
        self.has_bias = float(problem.bias)

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        from scipy.special import expit

        found = flat.reshape(self.targets.shape[1], -1)
        weight, bias = found[:, :-1], found[:, -1] * self.has_bias
        logits = self.features @ weight.astype(np.float32).T + bias
        loss = self.counts * (np.logaddexp(0, logits) - self.targets * logits)
        slope = self.counts * (expit(logits) - self.targets)
        gradient = np.empty_like(found)
        gradient[:, :-1] = slope.astype(np.float32).T @ self.features + weight / self.strength
        gradient[:, -1] = slope.sum(0) * self.has_bias
        return loss.sum() + (weight**2).sum() / (2 * self.strength), gradient.ravel()
