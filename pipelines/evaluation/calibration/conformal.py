"""Split conformal prediction: sets of classes that hold the right one as often as requested.

A class is in the set if its probability reaches a threshold (arXiv 1609.00451; "LAC" or "THR" in
the literature). If validation and new examples are exchangeable, the right class is in at least a
share 1 - alpha of all sets, on average over validation splits (arXiv 2107.07511, 1.1).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.data import group_draws
from pipelines.evaluation.calibration.decisions import Decisions

HALVES = "validation, in halves"


@dataclass(frozen=True)
class PredictionSets:
    """The rule for prediction sets, and how it performs.

    Attributes:
        alpha: the share of sets that may miss the right class.
        threshold: the least probability of a class that belongs to a set.
        examples: how many rows of validation the threshold was fitted on.
        measured_on: test or, without one, HALVES: each half by the threshold of the other.
        coverage: the share of sets that hold the right class.
        mean_size: mean number of classes in a set.
        empty: the share of sets without any class: none was likely enough.
    """

    alpha: float
    threshold: float
    examples: int
    measured_on: str
    coverage: float
    mean_size: float
    empty: float


def measure(
    alpha: float,
    validation: Decisions,
    test: Decisions | None,
    seed: int,
    groups: np.ndarray | None = None,
) -> PredictionSets:
    """Fit the threshold on validation, and measure its sets on test.

    Without test, each half of validation is measured by the threshold of the other half: measured
    on the rows that it was fitted on, the coverage would always be as promised.

    Args:
        seed: draws the halves.
        groups: (rows,) equal in rows of validation that are in one half; None: each by itself.
    """
    if test is not None:
        trials = [(fit_threshold(validation, alpha), test)]
    else:
        one, other = (validation.take(half) for half in _halves(validation, seed, groups))
        trials = [(fit_threshold(one, alpha), other), (fit_threshold(other, alpha), one)]
    is_covered = np.concatenate([rows.right >= threshold for threshold, rows in trials])
    sizes = np.concatenate(
        [membership(rows.probabilities, threshold).sum(axis=1) for threshold, rows in trials]
    )
    return PredictionSets(
        alpha=alpha,
        threshold=fit_threshold(validation, alpha),
        examples=len(validation.targets),
        measured_on=HALVES if test is None else "test",
        coverage=float(is_covered.mean()),
        mean_size=float(sizes.mean()),
        empty=float((sizes == 0).mean()),
    )


def fit_threshold(decisions: Decisions, alpha: float) -> float:
    """Return the ceil((n + 1)(1 - alpha))-th largest of n probabilities of the right class.

    0 if n is too small for that rank: then every class is in every set.
    """
    num_rows = len(decisions.targets)
    rank = _rank(num_rows, alpha)
    if rank > num_rows:
        return 0.0
    # rounded down to six digits: what a card prints must not cover less than what was measured
    return math.floor(np.sort(decisions.right)[num_rows - rank] * 1e6) / 1e6


def _halves(
    validation: Decisions, seed: int, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw two halves of the rows, which share no group: the positions in each."""
    if groups is None:
        order = np.random.default_rng(seed).permutation(len(validation.targets))
        one, other = np.array_split(order, 2)
        return one, other
    half = group_draws.halves(validation.targets, groups, seed)
    return np.flatnonzero(half == 0), np.flatnonzero(half == 1)


def membership(probabilities: Any, threshold: float) -> np.ndarray:
    """Tell which classes are in each row's set: (rows, classes) bool from probabilities."""
    # >=: the validation row that set the threshold has its class in its set
    return np.asarray(probabilities) >= threshold


def shortage(num_rows: int, alpha: float) -> str | None:
    """Explain why sets will hold all classes; None if validation is large enough for `alpha`."""
    if _rank(num_rows, alpha) <= num_rows:
        return None
    min_rows = math.ceil(round(1 / alpha, 9)) - 1
    return (
        f"calibration.conformal: {alpha:g} needs {min_rows:,} rows of validation; there are "
        f"{num_rows:,}: every set will hold all classes; raise alpha, or validate on more rows"
    )


def _rank(num_rows: int, alpha: float) -> int:
    # n + 1: the new example is one more of exchangeable rows, of any rank with equal probability.
    # 20 x 0.95 must not become 20 by a rounding error
    return math.ceil(round((num_rows + 1) * (1 - alpha), 9))
