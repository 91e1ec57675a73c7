"""Correlation and R² from the means of x, y, xx, yy and xy; x is predicted, y is right."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.evaluation.intervals import class_sums
from pipelines.evaluation.intervals.scored_rows import ScoredRows, Sums
from pipelines.evaluation.metric import Metric


def sides(rows: ScoredRows) -> tuple[np.ndarray, np.ndarray]:
    """Return what is predicted and what is right, (rows,) each."""
    return np.asarray(rows.predictions, float), np.asarray(rows.references, float)


def moments(score: Callable[[np.ndarray], np.ndarray], metric: Metric, rows: ScoredRows) -> Any:
    """Sum what `score` computes a metric from: (5, draws) means -> (draws,)."""
    # one shift for both: sums of large numbers would lose the digits of their differences
    shift = float(np.mean(rows.references))
    x, y = (side - shift for side in sides(rows))
    moments = np.stack([x, y, x * x, y * y, x * y, np.ones(len(x))], axis=1)
    return {metric.name: Sums(moments, lambda sums: score((sums[:, :5] / sums[:, 5:]).T))}


def pearson(means: np.ndarray) -> np.ndarray:
    """Compute the correlation of x and y."""
    x, y, xx, yy, xy = means
    spread = np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0)
    return class_sums.ratio(xy - x * y, np.sqrt(spread))


def r2(means: np.ndarray) -> np.ndarray:
    """Compute the share of the variance of y that x explains."""
    _, y, xx, yy, xy = means
    return 1 - class_sums.ratio(xx - 2 * xy + yy, yy - y * y)
