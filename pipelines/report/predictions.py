"""Per-example predictions as a table that any tool opens."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.labels import MULTI, SINGLE, Labels

if TYPE_CHECKING:
    from pipelines.report.evidence import Predictions

COLUMNS = ("row", "label", "prediction", "probability")
SEPARATOR = "|"  # between the labels, or the accepted answers, of one example


def write(path: Path, predictions: "Predictions", labels: Labels) -> None:
    """One line per example: row, label, prediction, and the model's probability of that prediction.

    Only classes have probabilities; several labels, and their probabilities, stand with `|`
    between them, the labels of the words of a text with spaces.
    """
    rows = {SINGLE: _single, MULTI: _several}.get(labels.problem_type, _as_they_are)
    columns = COLUMNS[:3] if rows is _as_they_are else COLUMNS
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows([i, *row] for i, row in enumerate(rows(predictions, labels)))


def _as_they_are(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    for target, predicted in zip(predictions.targets, predictions.predictions, strict=True):
        yield _text(target), _text(predicted)


def _text(value: Any) -> str:
    """A list of words reads as a text; whatever else, as it prints."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)


def _single(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    logits = np.asarray(predictions.kept["logits"], float)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = odds / odds.sum(axis=-1, keepdims=True)
    pairs = zip(predictions.targets, predictions.predictions, strict=True)
    for row, (target, prediction) in enumerate(pairs):
        probability = f"{probabilities[row, prediction]:.6f}"
        yield labels.names[target], labels.names[prediction], probability


def _several(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    probabilities = 1 / (1 + np.exp(-np.asarray(predictions.kept["logits"], float)))
    names, chosen = np.asarray(labels.names), np.asarray(predictions.predictions).astype(bool)
    for row, target in enumerate(np.asarray(predictions.targets).astype(bool)):
        sure = [f"{p:.6f}" for p in probabilities[row, chosen[row]]]
        yield tuple(map(SEPARATOR.join, (names[target], names[chosen[row]], sure)))
