"""Scores of parts of the rows: short ones and long ones, the sure and the unsure, by a column."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation import intervals as resampling
from pipelines.evaluation.intervals import Interval, RowDraws, ScoredRows
from pipelines.evaluation.scorer import Scorer, take

NUM_BINS = 4
MIN_BINNED_ROWS = 40  # bins of fewer than ten rows say nothing
MAX_VALUES = 20  # of a column, that are scored one by one
EMPTY = "(empty)"

Slices = Mapping[str, np.ndarray]  # name -> positions of its rows


@dataclass(frozen=True)
class SliceScores:
    """Scores of some rows.

    Attributes:
        by: what the rows have in common: a column, "length in tokens" or "confidence".
        value: theirs, or the bounds of it.
        interval: of the main score; None where it has none.
    """

    by: str
    value: str
    num_rows: int
    scores: Mapping[str, float]
    interval: Interval | None


def by_quartile(values: np.ndarray) -> Slices:
    """Divide rows into quartiles of (rows,) numbers; equal numbers are in one of them.

    None of fewer than MIN_BINNED_ROWS rows; NaN is in no quartile.
    """
    present = np.flatnonzero(np.isfinite(values))
    if len(present) < MIN_BINNED_ROWS:
        return {}
    edges = np.quantile(values[present], np.arange(1, NUM_BINS) / NUM_BINS)
    bins = np.searchsorted(edges, values[present])
    slices = {}
    for number in np.unique(bins):
        rows = present[bins == number]
        low, high = values[rows].min(), values[rows].max()
        name = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        slices[name if name not in slices else f"{name} ({number + 1})"] = rows
    return slices


def by_value(values: Sequence[Any]) -> Slices:
    """Group rows by a column's value; numbers with many values are divided into quartiles.

    Of other columns, the most frequent values are scored, and all others together.
    """
    are_numbers = all(isinstance(v, int | float) or v is None for v in values)
    if are_numbers and len(set(values)) > MAX_VALUES:
        numbers = np.array([np.nan if v is None else v for v in values], float)
        return by_quartile(numbers)
    names = np.array([EMPTY if v is None or v != v else str(v) for v in values], dtype=object)
    counts = Counter(names.tolist())
    if len(counts) > MAX_VALUES:
        shown = {name for name, _ in counts.most_common(MAX_VALUES - 1)}
        others = f"{len(counts) - len(shown):,} other values"
        names = np.array([name if name in shown else others for name in names], dtype=object)
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}


def measure(
    scorer: Scorer,
    predictions: Any,
    targets: Any,
    outputs: Mapping[str, Any],
    slices: Mapping[str, Slices],
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[SliceScores, ...]:
    """Score each slice.

    Args:
        slices: what rows are divided by -> its slices.
        groups: (rows,) equal in rows that belong together.
    """
    results = []
    for by, positions in slices.items():
        for value, rows in positions.items():
            predicted, right = take(predictions, rows), take(targets, rows)
            of_part = {name: take(column, rows) for name, column in outputs.items()}
            # a part may lack a class, of which some metrics warn
            with warnings.catch_warnings(action="ignore"):
                scores = scorer(predicted, right, of_part)
                probabilities = scorer.probabilities(of_part)
                scored = ScoredRows(predicted, right, probabilities, scorer.labels)
                draws = RowDraws(len(rows), None if groups is None else groups[rows], seed)
                drawn = resampling.draw(scorer, scored, scores, draws)
                interval = resampling.intervals(scorer, drawn, scored).get(scorer.main)
            results.append(SliceScores(by, value, len(rows), scores, interval))
    return tuple(results)
