"""Sums over rows from which scores of classes follow: hits, predictions and examples of each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]  # (draws, classes): what is divided, and by what


class ClassCounts(NamedTuple):
    """Counts of each class in each draw.

    Attributes:
        hits: (draws, classes) rows of the class that are predicted so.
        predicted: (draws, classes) rows that are predicted so.
        actual: (draws, classes) rows of the class.
        right: (draws,) rows that are right as a whole.
        total: (draws,) rows.
    """

    hits: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray
    right: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, sums: np.ndarray) -> "ClassCounts":
        """Take apart (draws, 3 * classes + 2) sums."""
        *classes, rest = np.split(sums, np.arange(1, 4) * ((sums.shape[1] - 2) // 3), axis=1)
        return cls(*classes, *rest.T)


def count(predictions: Any, references: Any, num_classes: int) -> Any:
    """Count for each row, of ids or of 0/1 rows of several labels.

    Returns:
        A sparse array (rows, 3 * num_classes + 2) in the order of ClassCounts.
    """
    predicted, actual = (np.asarray(side).astype(int) for side in (predictions, references))
    if actual.ndim == 2:
        right = (predicted == actual).all(axis=1)
        places = map(np.nonzero, (predicted & actual, predicted, actual))
        cells = [(rows, labels) for rows, labels in places]
    else:
        right, rows = predicted == actual, np.arange(len(actual))
        cells = [(rows[right], actual[right]), (rows, predicted), (rows, actual)]
    return sparse_counts(cells, right, num_classes)


def sparse_counts(cells: list[Pair], right: np.ndarray, num_classes: int) -> Any:
    """Put (rows, classes) of hits, predictions and examples into one sparse array.

    Args:
        cells: for each of the three the row and the class of every one; equal ones add up.
        right: (rows,) bool.
    """
    from scipy.sparse import csr_array

    num_rows, is_right = len(right), np.flatnonzero(right)
    rows = [*(row for row, _ in cells), is_right, np.arange(num_rows)]
    last = 3 * num_classes
    columns = [i * num_classes + ids for i, (_, ids) in enumerate(cells)]
    columns += [np.full(len(is_right), last), np.full(num_rows, last + 1)]
    places = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(places[0])), places), shape=(num_rows, last + 2))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above, float), where=below > 0)


PAIRS: Mapping[str, Callable[[ClassCounts], Pair]] = {
    "f1": lambda c: (2 * c.hits, c.predicted + c.actual),
    "precision": lambda c: (c.hits, c.predicted),
    "recall": lambda c: (c.hits, c.actual),
    "jaccard": lambda c: (c.hits, c.predicted + c.actual - c.hits),
}


def averaged(
    name: str, counts: ClassCounts, average: str, label: int | None = None, *, all_count: bool
) -> np.ndarray:
    """Average one of PAIRS over classes, as scikit-learn does: (draws,).

    Args:
        average: binary (the second class), micro, macro or weighted.
        label: the only class that counts; None for the average.
        all_count: whether a class counts that no row has and none is predicted as.
    """
    above, below = PAIRS[name](counts)
    if average == "micro":
        return ratio(above.sum(axis=1), below.sum(axis=1))
    by_class = ratio(above, below)
    if label is not None or average == "binary":
        return by_class[:, 1 if label is None else label]
    weights = counts.actual
    if average == "macro":
        is_present = counts.predicted + counts.actual > 0
        weights = np.where(is_present | all_count, 1.0, 0.0)
    return ratio((by_class * weights).sum(axis=1), weights.sum(axis=1))


def balanced_accuracy(counts: ClassCounts) -> np.ndarray:
    """Average recall over the classes that rows have."""
    has_rows = counts.actual > 0
    recall = ratio(counts.hits, counts.actual)
    return ratio((recall * has_rows).sum(axis=1), has_rows.sum(axis=1).astype(float))


def cohen_kappa(counts: ClassCounts) -> np.ndarray:
    """Compare agreement with that by chance; 0 where all rows are of one class."""
    by_chance = (counts.predicted * counts.actual).sum(axis=1) / counts.total**2
    return ratio(counts.right / counts.total - by_chance, 1 - by_chance)


def matthews_correlation(counts: ClassCounts) -> np.ndarray:
    """Correlate predicted and true classes (Gorodkin 2004); 0 where one side is constant."""
    total = counts.total
    covered = counts.right * total - (counts.predicted * counts.actual).sum(axis=1)
    spread = [total**2 - (side**2).sum(axis=1) for side in (counts.predicted, counts.actual)]
    return ratio(covered, np.sqrt(spread[0] * spread[1]))


def matthews_correlation_of_labels(counts: ClassCounts) -> np.ndarray:
    """Correlate each of several labels, and average."""
    total, hits, predicted, actual = counts.total[:, None], *counts[:3]
    spread = predicted * (total - predicted) * actual * (total - actual)
    return ratio(total * hits - predicted * actual, np.sqrt(spread)).mean(axis=1)


def hamming_of_labels(counts: ClassCounts) -> np.ndarray:
    """Return the share of labels that are wrong, of several for each row."""
    wrong = (counts.predicted + counts.actual - 2 * counts.hits).sum(axis=1)
    return np.asarray(wrong / (counts.total * counts.hits.shape[1]))
