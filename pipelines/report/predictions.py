"""Per-example predictions as CSV."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core.labels import CHOICE, LANGUAGE, MULTI, SINGLE, Labels
from pipelines.evaluation.calibration import conformal
from pipelines.report.csv_cells import harmless
from pipelines.report.evidence import SplitPredictions

COLUMNS = ("row", "label", "prediction", "probability")
LANGUAGE_COLUMNS = ("row", "tokens", "nll")  # predicted tokens of a block, nats per token
SEPARATOR = "|"  # between the labels, or the accepted answers, of one example


def write(
    path: Path,
    predictions: SplitPredictions,
    labels: Labels,
    threshold: float | None = None,
    sources: np.ndarray | None = None,
) -> None:
    """Write a line per example: row, label, prediction, and the probability of that prediction.

    Only classes have probabilities. Several labels and their probabilities, and several accepted
    answers, are separated by `|`; a `|` or a backslash in one of them has a backslash before it.
    The labels of the words of a text are separated by spaces. A language model gets a line per
    block: number of predicted tokens, nats per token. A text that a spreadsheet would compute has a
    quote before it.

    Args:
        threshold: adds a column with the set of classes whose probability reaches it, where an
            example has one label.
        sources: (examples,) names of several sources that they come from, a last column.
    """
    formats = {SINGLE: _single, CHOICE: _single, MULTI: _multi, LANGUAGE: _blocks}
    rows = formats.get(labels.problem_type, _values)
    columns = {_values: COLUMNS[:3], _blocks: LANGUAGE_COLUMNS}.get(rows, COLUMNS)
    lines: Iterator[tuple[Any, ...]] = rows(predictions, labels)
    # conformal sets are defined for one label per example
    if threshold is not None and rows is _single:
        columns = (*columns, "set")
        sets = _sets(predictions, labels, threshold)
        lines = ((*line, chosen) for line, chosen in zip(lines, sets, strict=True))
    if sources is not None:
        columns = (*columns, "source")
        lines = ((*line, source) for line, source in zip(lines, sources, strict=True))
    # csv ends lines by itself
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows([i, *map(_cell, row)] for i, row in enumerate(lines))


def _cell(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


def _values(predictions: SplitPredictions, labels: Labels) -> Iterator[tuple[Any, ...]]:
    for target, predicted in zip(predictions.targets, predictions.predictions, strict=True):
        # where one text is predicted, a list of targets holds alternatives, not words
        between = SEPARATOR if isinstance(predicted, str) else " "
        yield _text(target, between), _text(predicted)


def _text(value: Any, between: str = " ") -> str:
    """Join a list; print anything else."""
    if isinstance(value, list | tuple):
        return join(value) if between == SEPARATOR else between.join(map(str, value))
    return str(value)


def join(values: Iterable[Any]) -> str:
    """Join by `|`, with a backslash before each `|` and backslash of a value."""
    escaped = (str(value).replace("\\", "\\\\").replace("|", "\\|") for value in values)
    return SEPARATOR.join(escaped)


def _blocks(predictions: SplitPredictions, labels: Labels) -> Iterator[tuple[Any, ...]]:
    for ids, nll in zip(predictions.targets, predictions.predictions, strict=True):
        yield len(ids), f"{nll:.6f}"


def _single(predictions: SplitPredictions, labels: Labels) -> Iterator[tuple[Any, ...]]:
    probabilities = _softmax(predictions)
    pairs = zip(predictions.targets, predictions.predictions, strict=True)
    for row, (target, prediction) in enumerate(pairs):
        probability = f"{probabilities[row, prediction]:.6f}"
        yield labels.names[target], labels.names[prediction], probability


def _sets(predictions: SplitPredictions, labels: Labels, threshold: float) -> Iterator[str]:
    names = np.asarray(labels.names)
    for chosen in conformal.membership(_softmax(predictions), threshold):
        yield join(names[chosen])


def _softmax(predictions: SplitPredictions) -> np.ndarray:
    # in float64: float32 logits of large magnitude would lose the digits that are printed
    from scipy.special import softmax

    return softmax(np.asarray(predictions.outputs["logits"], float), axis=-1)


def _multi(predictions: SplitPredictions, labels: Labels) -> Iterator[tuple[Any, ...]]:
    # labels are independent: a sigmoid each
    probabilities = 1 / (1 + np.exp(-np.asarray(predictions.outputs["logits"], float)))
    names, chosen = np.asarray(labels.names), np.asarray(predictions.predictions).astype(bool)
    for row, target in enumerate(np.asarray(predictions.targets).astype(bool)):
        confidences = [f"{p:.6f}" for p in probabilities[row, chosen[row]]]
        yield tuple(map(join, (names[target], names[chosen[row]], confidences)))
