"""Accuracy by the length of texts: whether short ones or long ones are harder."""

from dataclasses import dataclass
from typing import Any

import numpy as np

NUM_SLICES = 4
MIN_ROWS = 100  # of a split: slices of fewer than 25 rows say nothing
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Slice:
    """The rows between two lengths.

    Attributes:
        shortest, longest: in tokens, both of them included.
        num_rows: how many rows are that long.
        accuracy: the share of them that is right.
        low, high: its interval of 95 % (Wilson 1927).
    """

    shortest: int
    longest: int
    num_rows: int
    accuracy: float
    low: float
    high: float


def by_length(lengths: np.ndarray, predictions: Any, targets: Any) -> tuple[Slice, ...]:
    """Compare quartiles of (rows,) lengths; rows of one length are in one of them.

    Returns:
        Slices from short to long, fewer than four where many rows are equally long; none of fewer
        than MIN_ROWS rows.
    """
    if len(lengths) < MIN_ROWS:
        return ()
    is_right = np.asarray(predictions) == np.asarray(targets)
    edges = np.quantile(lengths, np.arange(1, NUM_SLICES) / NUM_SLICES)
    numbers = np.searchsorted(edges, lengths)
    return tuple(
        _slice(lengths[numbers == number], is_right[numbers == number])
        for number in np.unique(numbers)
    )


def _slice(lengths: np.ndarray, is_right: np.ndarray) -> Slice:
    from scipy.stats import binomtest

    num_right, num_rows = int(is_right.sum()), len(is_right)
    interval = binomtest(num_right, num_rows).proportion_ci(CONFIDENCE, method="wilson")
    return Slice(
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        num_rows=num_rows,
        accuracy=num_right / num_rows,
        low=float(interval.low),
        high=float(interval.high),
    )
