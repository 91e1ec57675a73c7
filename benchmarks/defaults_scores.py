"""Scores of `defaults.py`: one way for all arms, from predictions and how sure they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.calibration.reliability import NUM_BINS


def score(metric: str, targets: Sequence[Any], predictions: Sequence[Any], names: Any) -> float:
    """Return the task's metric, in per cent.

    Raises:
        ValueError: there is not one prediction for each row.
    """
    if len(targets) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(targets)} rows")
    return round(100 * float(METRICS[metric](targets, predictions, names)), 4)


def calibration_error(
    targets: Sequence[Any], predictions: Sequence[Any], confidence: Sequence[float] | None
) -> float | None:
    """Return the expected calibration error in per cent; None without probabilities."""
    if confidence is None:
        return None
    sure = np.asarray(confidence, float)
    is_right = np.asarray(targets) == np.asarray(predictions)
    bins = np.clip(np.ceil(sure * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    gaps = np.bincount(bins, weights=is_right - sure, minlength=NUM_BINS)
    return round(100 * float(np.abs(gaps).sum() / len(sure)), 4)


def _accuracy(targets: Any, predictions: Any, names: Any) -> float:
    return float((np.asarray(targets) == np.asarray(predictions)).mean())


def _matthews(targets: Any, predictions: Any, names: Any) -> float:
    from sklearn.metrics import matthews_corrcoef

    return matthews_corrcoef(targets, predictions)


def _pearson(targets: Any, predictions: Any, names: Any) -> float:
    """0 where all predictions are equal, of which no correlation is defined."""
    if np.ptp(predictions) == 0:
        return 0.0
    return np.corrcoef(targets, predictions)[0, 1]


def _micro_f1(targets: Any, predictions: Any, names: Any) -> float:
    pairs = [({*right}, {*given}) for right, given in zip(targets, predictions, strict=True)]
    hits = sum(len(right & given) for right, given in pairs)
    return 2 * hits / max(1, sum(len(right) + len(given) for right, given in pairs))


def _entity_f1(targets: Any, predictions: Any, names: Any) -> float:
    from seqeval.metrics import f1_score

    outside = names.index("O")
    right, given = [], []
    for row, predicted in zip(targets, predictions, strict=True):
        # words beyond what a model reads have no prediction: they are of no entity
        filled = [*predicted, *[outside] * (len(row) - len(predicted))]
        right.append([names[tag] for tag in row])
        given.append([names[tag] for tag in filled])
    return f1_score(right, given)


METRICS = {
    "accuracy": _accuracy,
    "matthews": _matthews,
    "pearson": _pearson,
    "micro F1": _micro_f1,
    "entity F1": _entity_f1,
}
