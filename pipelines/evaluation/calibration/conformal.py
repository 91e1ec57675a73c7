"""Split conformal prediction: sets of classes that hold the right one as often as was asked for.

A class is in the set where its probability reaches a threshold (arXiv 1609.00451; "LAC" or "THR"
in the literature). Where validation and new examples are exchangeable, the right class is in at
least a share 1 - alpha of all sets, on average over validation splits (arXiv 2107.07511, 1.1).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.calibration.decisions import Decisions

HALVES = "validation, in halves"


@dataclass(frozen=True)
class PredictionSets:
    """The rule, and how it does.

    Attributes:
        alpha: the share of sets that may miss the right class.
        threshold: the least probability of a class that belongs to a set.
        examples: how many of validation the threshold follows from.
        measured_on: test or, without one, HALVES: each half by the threshold of the other.
        coverage: the share of sets that hold the right class.
        mean_size: classes in a set.
        empty: the share of sets without any class, of which no one was likely enough.
    """

    alpha: float
    threshold: float
    examples: int
    measured_on: str
    coverage: float
    mean_size: float
    empty: float


def measure(
    alpha: float, validation: Decisions, test: Decisions | None, seed: int
) -> PredictionSets:
    """Sets by the threshold of validation, tried on test or, without one, half against half."""
    if test is not None:
        tried = [(threshold(validation, alpha), test)]
    else:
        order = np.random.default_rng(seed).permutation(len(validation.targets))
        one, other = (validation.take(half) for half in np.array_split(order, 2))
        tried = [(threshold(one, alpha), other), (threshold(other, alpha), one)]
    held = np.concatenate([decisions.right >= least for least, decisions in tried])
    sizes = np.concatenate([members(d.probabilities, least).sum(axis=1) for least, d in tried])
    return PredictionSets(
        alpha=alpha,
        threshold=threshold(validation, alpha),
        examples=len(validation.targets),
        measured_on=HALVES if test is None else "test",
        coverage=float(held.mean()),
        mean_size=float(sizes.mean()),
        empty=float((sizes == 0).mean()),
    )


def threshold(decisions: Decisions, alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th largest of the n probabilities of the right class.

    0, and every class is in every set, where n is too small for that rank. Rounded down to six
    digits: what a card prints must not cover less than what was measured.
    """
    num_rows = len(decisions.targets)
    rank = _rank(num_rows, alpha)
    if rank > num_rows:
        return 0.0
    return math.floor(np.sort(decisions.right)[num_rows - rank] * 1e6) / 1e6


def members(probabilities: Any, least: float) -> np.ndarray:
    """(rows, classes) of probabilities -> which classes are in each row's set."""
    return np.asarray(probabilities) >= least


def too_few(num_rows: int, alpha: float) -> str | None:
    """Why sets will hold all classes; None where validation is large enough for `alpha`."""
    if _rank(num_rows, alpha) <= num_rows:
        return None
    return (
        f"calibration.conformal: {alpha:g} needs {math.ceil(round(1 / alpha, 9)) - 1:,} rows of "
        f"validation; there are {num_rows:,}: every set will hold all classes"
    )


def _rank(num_rows: int, alpha: float) -> int:
    # 20 x 0.95 must not become 20 by a rounding error
    return math.ceil(round((num_rows + 1) * (1 - alpha), 9))
