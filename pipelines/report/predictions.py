"""Per-example predictions as a table that any tool opens."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.labels import MULTI, REGRESSION, Labels

if TYPE_CHECKING:
    from pipelines.report.evidence import Predictions

COLUMNS = ("row", "label", "prediction", "probability")
SEPARATOR = "|"  # between the labels of one example


def write(path: Path, predictions: "Predictions", labels: Labels) -> None:
    """One line per example: row, label, prediction, and the model's probability of that prediction.

    A regression has no probabilities; several labels, and their probabilities, stand with `|`
    between them.
    """
    rows = {REGRESSION: _numbers, MULTI: _several}.get(labels.problem_type, _single)
    columns = COLUMNS[:3] if labels.problem_type == REGRESSION else COLUMNS
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows([i, *row] for i, row in enumerate(rows(predictions, labels)))


def _numbers(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    predicted = labels.predict(predictions.logits).tolist()
    return zip(predictions.targets, predicted, strict=True)


def _single(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    logits = predictions.logits.astype(float)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = odds / odds.sum(axis=-1, keepdims=True)
    chosen = labels.predict(logits)
    for row, (target, prediction) in enumerate(zip(predictions.targets, chosen, strict=True)):
        probability = f"{probabilities[row, prediction]:.6f}"
        yield labels.names[target], labels.names[prediction], probability


def _several(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    probabilities = 1 / (1 + np.exp(-predictions.logits.astype(float)))
    names, chosen = np.asarray(labels.names), labels.predict(predictions.logits).astype(bool)
    for row, target in enumerate(np.asarray(predictions.targets).astype(bool)):
        sure = [f"{p:.6f}" for p in probabilities[row, chosen[row]]]
        yield tuple(map(SEPARATOR.join, (names[target], names[chosen[row]], sure)))
