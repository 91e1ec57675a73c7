"""LogME: the evidence of a Bayesian linear model, at its most likely precisions."""

import numpy as np

MAX_ROUNDS = 100
TOLERANCE = 1e-4  # relative change of both precisions at which they are found
SMALLEST = 1e-12


def log_evidence(features: np.ndarray, targets: np.ndarray) -> float:
    """Compute LogME (arXiv 2102.11005): nats per example, the mean over columns of `targets`.

    Code in circulation leaves out (dim - rank) log(alpha) of the determinant, which counts where
    there are more dimensions than examples.

    Args:
        features: (examples, dim).
        targets: (examples,) or (examples, columns) numbers; classes as 0 and 1.
    """
    values = np.asarray(targets, float).reshape(len(features), -1)
    left, singular, _ = np.linalg.svd(np.asarray(features, float), full_matrices=False)
    return float(
        np.mean([_column(left, singular, column, features.shape[1]) for column in values.T])
    )


def marginal(
    left: np.ndarray, singular: np.ndarray, target: np.ndarray, dim: int, alpha: float, beta: float
) -> float:
    """Compute the log density of a target under weights of precision alpha and noise of beta.

    Args:
        left: (examples, rank) left singular vectors of the features.
        singular: (rank,) singular values.
        target: (examples,).
    """
    num_rows, squared = len(target), singular**2
    projected = left.T @ target
    weights = beta * singular * projected / (alpha + beta * squared)  # in the singular basis
    outside = max(float(target @ target - projected @ projected), 0.0)
    residual = float(((projected - singular * weights) ** 2).sum()) + outside
    determinant = np.log(alpha + beta * squared).sum() + (dim - len(singular)) * np.log(alpha)
    return float(
        num_rows / 2 * np.log(beta)
        + dim / 2 * np.log(alpha)
        - num_rows / 2 * np.log(2 * np.pi)
        - beta / 2 * residual
        - alpha / 2 * (weights @ weights)
        - determinant / 2
    )


def _column(left: np.ndarray, singular: np.ndarray, target: np.ndarray, dim: int) -> float:
    """Find both precisions by MacKay's fixed point, and return the evidence per example."""
    num_rows, squared = len(target), singular**2
    projected = left.T @ target
    outside = max(float(target @ target - projected @ projected), 0.0)
    alpha = beta = 1.0
    for _ in range(MAX_ROUNDS):
        weights = beta * singular * projected / (alpha + beta * squared)
        effective = float((beta * squared / (alpha + beta * squared)).sum())
        residual = float(((projected - singular * weights) ** 2).sum()) + outside
        new_alpha = effective / max(float(weights @ weights), SMALLEST)
        new_beta = max(num_rows - effective, SMALLEST) / max(residual, SMALLEST)
        is_found = abs(new_alpha / alpha - 1) < TOLERANCE and abs(new_beta / beta - 1) < TOLERANCE
        alpha, beta = max(new_alpha, SMALLEST), new_beta
        if is_found:
            break
    return marginal(left, singular, target, dim, alpha, beta) / num_rows
