"""Per-example predictions as a table that any tool opens."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import CHOICE, LANGUAGE, MULTI, SINGLE, Labels
from pipelines.evaluation.calibration import conformal

if TYPE_CHECKING:
    from pipelines.report.evidence import Predictions

COLUMNS = ("row", "label", "prediction", "probability")
BLOCK = ("row", "tokens", "nll")  # of a language model: how many are asked for, nats for each
SEPARATOR = "|"  # between the labels, or the accepted answers, of one example


def write(
    path: Path, predictions: "Predictions", labels: Labels, threshold: float | None = None
) -> None:
    """One line per example: row, label, prediction, and the model's probability of that prediction.

    Only classes have probabilities; several labels, and their probabilities, and several accepted
    answers stand with `|` between them, the labels of the words of a text with spaces. With a
    `threshold`, single labels are followed by the set of those whose probability reaches it.
    """
    forms = {SINGLE: _single, CHOICE: _single, MULTI: _several, LANGUAGE: _blocks}
    rows = forms.get(labels.problem_type, _as_they_are)
    columns = {_as_they_are: COLUMNS[:3], _blocks: BLOCK}.get(rows, COLUMNS)
    lines: Iterator[tuple[Any, ...]] = rows(predictions, labels)
    if threshold is not None and rows is _single:
        columns = (*columns, "set")
        sets = _sets(predictions, labels, threshold)
        lines = ((*line, chosen) for line, chosen in zip(lines, sets, strict=True))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows([i, *row] for i, row in enumerate(lines))


def _as_they_are(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    for target, predicted in zip(predictions.targets, predictions.predictions, strict=True):
        # what one text is compared with are several that are accepted
        between = SEPARATOR if isinstance(predicted, str) else " "
        yield _text(target, between), _text(predicted)


def _text(value: Any, between: str = " ") -> str:
    """A list of words reads as a text; whatever else, as it prints."""
    if isinstance(value, list | tuple):
        return between.join(map(str, value))
    return str(value)


def _blocks(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    for ids, nll in zip(predictions.targets, predictions.predictions, strict=True):
        yield len(ids), f"{nll:.6f}"


def _single(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    probabilities = _probabilities(predictions)
    pairs = zip(predictions.targets, predictions.predictions, strict=True)
    for row, (target, prediction) in enumerate(pairs):
        probability = f"{probabilities[row, prediction]:.6f}"
        yield labels.names[target], labels.names[prediction], probability


def _sets(predictions: "Predictions", labels: Labels, threshold: float) -> Iterator[str]:
    names = np.asarray(labels.names)
    for chosen in conformal.members(_probabilities(predictions), threshold):
        yield SEPARATOR.join(names[chosen])


def _probabilities(predictions: "Predictions") -> np.ndarray:
    from scipy.special import softmax

    return softmax(np.asarray(predictions.kept["logits"], float), axis=-1)


def _several(predictions: "Predictions", labels: Labels) -> Iterator[tuple[Any, ...]]:
    probabilities = 1 / (1 + np.exp(-np.asarray(predictions.kept["logits"], float)))
    names, chosen = np.asarray(labels.names), np.asarray(predictions.predictions).astype(bool)
    for row, target in enumerate(np.asarray(predictions.targets).astype(bool)):
        sure = [f"{p:.6f}" for p in probabilities[row, chosen[row]]]
        yield tuple(map(SEPARATOR.join, (names[target], names[chosen[row]], sure)))
