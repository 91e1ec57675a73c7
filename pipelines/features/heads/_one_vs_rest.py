"""A penalized loss for each class against the others, by L-BFGS, all classes at once.

Their losses are a sum, and one product of matrices is faster than many of vectors.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.features.heads import Linear, Problem

# (logits, 0/1 targets) -> (loss, its derivative by the logits), each of them (rows, classes)
Loss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

MAX_STEPS = 300  # with little penalty L-BFGS need not converge: validation judges what comes out
CONSTANT_LABEL_LOGIT = 10.0  # of a label that all examples of train have, or none (then -10)


def solve(
    problem: Problem,
    targets: np.ndarray,
    loss: Loss,
    strengths: Iterable[float],
    min_gain: float = 2e-9,
) -> Iterator[Linear]:
    """Minimize `strength * loss + |weights|² / 2` for each strength, from the solution before.

    Args:
        targets: (rows, classes) of 0 and 1.
        min_gain: the share of the loss that the last step gained less than.

    Yields:
        (classes, dim) weights and (classes,) biases.
    """
    from scipy.optimize import minimize

    dim, num_classes = problem.features.shape[1], targets.shape[1]
    # a label that never changes has no finite solution
    varies = (targets.min(0) != targets.max(0)).astype(np.float32)
    solution = np.zeros((num_classes, dim + 1))
    for strength in strengths:
        total = _PenalizedLoss(problem, targets, loss, varies, strength)
        options = {"maxiter": MAX_STEPS, "gtol": 1e-4 * len(targets), "ftol": min_gain}
        result = minimize(total, solution.ravel(), jac=True, method="L-BFGS-B", options=options)
        solution = result.x.reshape(num_classes, dim + 1)
        constant = np.where(targets[0], CONSTANT_LABEL_LOGIT, -CONSTANT_LABEL_LOGIT)
        bias = np.where(varies, solution[:, -1], constant)
        yield Linear(solution[:, :-1].copy(), bias if problem.bias else np.zeros(num_classes))


@dataclass(frozen=True, eq=False)
class _PenalizedLoss:
    """(classes * (dim + 1),) weights and biases -> penalized loss and its gradient."""

    problem: Problem
    targets: np.ndarray
    loss: Loss
    varies: np.ndarray
    strength: float

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        features, weights = self.problem.features, self.problem.weights
        parameters = flat.reshape(self.targets.shape[1], -1)
        has_bias = float(self.problem.bias)
        weight, bias = parameters[:, :-1], parameters[:, -1] * has_bias
        # float32 products take half the time; only the sums need the digits of float64
        losses, slopes = self.loss(features @ weight.astype(np.float32).T + bias, self.targets)
        # (rows,) weights count for all classes, (rows, classes) weights for one each
        counts = self.varies * (1.0 if weights is None else weights.reshape(len(weights), -1))
        slopes = counts * slopes
        gradient = np.empty_like(parameters)
        gradient[:, :-1] = slopes.astype(np.float32).T @ features + weight / self.strength
        gradient[:, -1] = slopes.sum(0) * has_bias
        penalty = (weight**2).sum() / (2 * self.strength)
        return (counts * losses).sum() + penalty, gradient.ravel()
