"""Nearest class mean, by a distance that knows how features vary within a class (LDA)."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Head, Linear, Problem
from pipelines.features.heads._classes import indicators, placed

SCALES = np.geomspace(1e-3, 1, 25)  # of distances, which count too much where features are many
CERTAIN = 10.0  # the log odds of a label that stands on all examples of train


class ClassPrototypes(Head):
    """Each class is the mean of its examples: 2 mu.x - |mu|^2, which is linear (arXiv 1703.05175).

    Lengths are measured by the shrunken covariance within classes, as in deep streaming LDA (arXiv
    1909.01520); with a shrinkage of 1 they are those of standardized features. Frequent classes
    are likelier by as much as they are more frequent. For several labels, the prototypes are those
    with and without a label.
    """

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI)
    strength: ClassVar[str] = "shrinkage"
    grid: ClassVar[tuple[float, ...]] = (0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 0.8, 1.0)

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """All shrinkages from one eigendecomposition."""
        targets, classes = indicators(problem)
        features = problem.features.astype(np.float64)
        rows = np.ones(len(features)) if problem.weights is None else problem.weights
        means, others, around = _prototypes(problem, features, targets, rows)
        values, vectors = np.linalg.eigh((around.T * rows) @ around / rows.sum())
        prior = _log_odds(rows @ targets / rows.sum())
        for shrinkage in strengths:
            shrunken = (1 - shrinkage) * values + shrinkage * values.mean()
            weight = (means - others) @ (vectors / shrunken.clip(1e-9)) @ vectors.T
            bias = -(weight * (means + others)).sum(axis=1) / 2
            scale = _scale(problem, features @ weight.T + bias, prior, targets, rows)
            weight, bias = scale * weight, scale * bias + prior
            if not problem.bias:
                weight = weight + np.outer(bias, _constant(features, rows))
            yield placed(weight, bias, classes, problem)


def _prototypes(
    problem: Problem, features: np.ndarray, targets: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, ...]:
    """(classes, dim) means, (classes, dim) what each is told from, (rows, dim) what is around."""
    grand = np.average(features, axis=0, weights=rows)
    counts = targets * rows[:, None]
    means = _means(counts, features, grand)
    if problem.problem_type == SINGLE:
        return means, np.broadcast_to(grand, means.shape), features - targets @ means
    return means, _means(rows[:, None] - counts, features, grand), features - grand


def _means(counts: np.ndarray, features: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """(classes, dim), the mean of all where a class has no examples."""
    totals = counts.sum(axis=0)[:, None]
    return np.where(totals > 0, counts.T @ features / totals.clip(1e-12), otherwise)


def _log_odds(shares: np.ndarray) -> np.ndarray:
    shares = shares.clip(1e-12, 1 - 1e-12)
    return np.log(shares / (1 - shares)).clip(-CERTAIN, CERTAIN)


def _scale(
    problem: Problem, scores: np.ndarray, prior: np.ndarray, targets: np.ndarray, rows: np.ndarray
) -> float:
    """The temperature by which train is likeliest (arXiv 1706.04599)."""
    from scipy.special import logsumexp

    losses = []
    for scale in SCALES:
        logits = scale * scores + prior
        if problem.problem_type == SINGLE:
            loss = logsumexp(logits, axis=1) - (targets * logits).sum(axis=1)
        else:
            loss = (np.logaddexp(0, logits) - targets * logits).sum(axis=1)
        losses.append(rows @ loss)
    return float(SCALES[int(np.argmin(losses))])


def _constant(features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(dim,) weights that give 1 for every example as nearly as they can: a bias for a head that
    has none."""
    shares = rows / rows.sum()
    moments = (features.T * shares) @ features
    return np.linalg.solve(moments + 1e-3 * np.eye(len(moments)), shares @ features)
