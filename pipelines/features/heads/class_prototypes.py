"""Nearest class mean, by a distance that knows how features vary within a class (LDA)."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Head, Linear, Problem
from pipelines.features.heads._classes import expand_to_all_classes, indicators

LOGIT_SCALES = np.geomspace(1e-3, 1, 25)  # many features together make distances overconfident
MAX_LOG_ODDS = 10.0  # of a label that all examples of train have


class ClassPrototypes(Head):
    """Each class is the mean of its examples: 2 mu.x - |mu|^2, which is linear (arXiv 1703.05175).

    Lengths are measured by the shrunken covariance within classes, as in deep streaming LDA (arXiv
    1909.01520); with a shrinkage of 1 they are those of standardized features. The log odds of a
    class in train are its prior. For several labels, the prototypes of each are the means of the
    examples with it and without it.
    """

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    hyperparameter: ClassVar[str] = "shrinkage"
    grid: ClassVar[tuple[float, ...]] = (0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 0.8, 1.0)

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[Linear]:
        """Solve for all shrinkages from one eigendecomposition."""
        targets, classes = indicators(problem)
        features = problem.features.astype(np.float64)  # small eigenvalues are divisors
        rows = np.ones(len(features)) if problem.weights is None else problem.weights
        means, rivals, residuals = _prototypes(problem, features, targets, rows)
        variances, vectors = np.linalg.eigh((residuals.T * rows) @ residuals / rows.sum())
        prior = _log_odds(rows @ targets / rows.sum())
        for shrinkage in values:
            shrunken = (1 - shrinkage) * variances + shrinkage * variances.mean()
            # |x - rival|² - |x - mean|² = 2 (mean - rival).x - (|mean|² - |rival|²), halved
            weight = (means - rivals) @ (vectors / shrunken.clip(1e-9)) @ vectors.T
            bias = -(weight * (means + rivals)).sum(axis=1) / 2
            scale = _scale(problem, features @ weight.T + bias, prior, targets, rows)
            weight, bias = scale * weight, scale * bias + prior
            if not problem.bias:
                weight = weight + np.outer(bias, _constant(features, rows))
            yield expand_to_all_classes(weight, bias, classes, problem)


def _prototypes(
    problem: Problem, features: np.ndarray, targets: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute (classes, dim) means, (classes, dim) rivals and (rows, dim) residuals.

    The rival of a class is the mean of all examples; that of one of several labels is the mean of
    the examples without it.
    """
    grand = np.average(features, axis=0, weights=rows)
    counts = targets * rows[:, None]
    means = _means(counts, features, grand)
    if problem.problem_type == SINGLE:
        return means, np.broadcast_to(grand, means.shape), features - targets @ means
    return means, _means(rows[:, None] - counts, features, grand), features - grand


def _means(counts: np.ndarray, features: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Average features by class, (classes, dim); `otherwise` where a class has no examples."""
    totals = counts.sum(axis=0)[:, None]
    return np.where(totals > 0, counts.T @ features / totals.clip(1e-12), otherwise)


def _log_odds(shares: np.ndarray) -> np.ndarray:
    shares = shares.clip(1e-12, 1 - 1e-12)
    return np.log(shares / (1 - shares)).clip(-MAX_LOG_ODDS, MAX_LOG_ODDS)


def _scale(
    problem: Problem, scores: np.ndarray, prior: np.ndarray, targets: np.ndarray, rows: np.ndarray
) -> float:
    """Choose the scale of scores that minimizes the loss on train (arXiv 1706.04599)."""
    from scipy.special import logsumexp

    losses = []
    for scale in LOGIT_SCALES:
        logits = scale * scores + prior
        if problem.problem_type == SINGLE:
            loss = logsumexp(logits, axis=1) - (targets * logits).sum(axis=1)
        else:
            loss = (np.logaddexp(0, logits) - targets * logits).sum(axis=1)
        losses.append(rows @ loss)
    return float(LOGIT_SCALES[int(np.argmin(losses))])


def _constant(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Fit (dim,) weights that give about 1 for every example: a bias for a head without one."""
    shares = rows / rows.sum()
    moments = (features.T * shares) @ features
    return np.linalg.solve(moments + 1e-3 * np.eye(len(moments)), shares @ features)
