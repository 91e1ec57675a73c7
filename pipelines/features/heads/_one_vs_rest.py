"""A penalized loss for each class against the others, by L-BFGS, all classes at once.

Their losses are a sum, and one product of matrices is faster than many of vectors.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.features.heads import Linear, Problem

# (logits, 0/1 targets) -> (loss, its slope), each of them (rows, classes)
Loss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

MOST = 300  # steps of the solver: what is hardly penalized need not converge, validation judges it
ALWAYS = 10.0  # the logit of a label that stands on all examples of train


def path(
    problem: Problem,
    targets: np.ndarray,
    loss: Loss,
    strengths: Iterable[float],
    gain: float = 2e-9,
) -> Iterator[Linear]:
    """A row for each column of `targets` (rows, classes), for each strength C of the loss against
    an L2 penalty. The last step gained less than `gain` of the loss."""
    from scipy.optimize import minimize

    dim, count = problem.features.shape[1], targets.shape[1]
    # what is the same everywhere has no finite solution
    varies = (targets.min(0) != targets.max(0)).astype(np.float32)
    found = np.zeros((count, dim + 1))
    for strength in strengths:
        total = _Sum(problem, targets, loss, varies, strength)
        options = {"maxiter": MOST, "gtol": 1e-4 * len(targets), "ftol": gain}
        found = minimize(total, found.ravel(), jac=True, method="L-BFGS-B", options=options).x
        found = found.reshape(count, dim + 1)
        always = np.where(varies, found[:, -1], np.where(targets[0], ALWAYS, -ALWAYS))
        yield Linear(found[:, :-1].copy(), always if problem.bias else np.zeros(count))


@dataclass(frozen=True, eq=False)
class _Sum:
    """(classes * (dim + 1),) weights and biases -> penalized loss and its gradient."""

    problem: Problem
    targets: np.ndarray
    loss: Loss
    varies: np.ndarray
    strength: float

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        features, weights = self.problem.features, self.problem.weights
        found = flat.reshape(self.targets.shape[1], -1)
        has_bias = float(self.problem.bias)
        weight, bias = found[:, :-1], found[:, -1] * has_bias
        losses, slopes = self.loss(features @ weight.astype(np.float32).T + bias, self.targets)
        counts = self.varies * (1.0 if weights is None else weights[:, None])
        slopes = counts * slopes
        gradient = np.empty_like(found)
        gradient[:, :-1] = slopes.astype(np.float32).T @ features + weight / self.strength
        gradient[:, -1] = slopes.sum(0) * has_bias
        penalty = (weight**2).sum() / (2 * self.strength)
        return (counts * losses).sum() + penalty, gradient.ravel()
