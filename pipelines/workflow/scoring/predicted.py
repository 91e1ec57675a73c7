"""A saved model and labeled rows -> predictions beside targets."""

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache_folder
from pipelines.core.labels import NO_TAG, TOKENS
from pipelines.data.labeled_inputs import LabeledInputs
from pipelines.data.rows import Rows
from pipelines.evaluation.examples import WITH_SCORES
from pipelines.evaluation.scorer import take
from pipelines.report.evidence import SplitPredictions
from pipelines.workflow.inference.predict import CHUNK_ROWS, in_memory, predict_rows

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import Task
    from pipelines.workflow.inference.predicted import Predicted
    from pipelines.workflow.inference.predictor import Predictor

LENGTHS = ("tokens", "words", "seconds")  # units of measures that are lengths


@dataclass(frozen=True, eq=False)
class PredictedRows:
    """Labeled rows that a model has predicted.

    Attributes:
        rows: the rows that it can take.
        lengths: (rows,) of each; None where they have none.
        unit: of lengths, such as "tokens".
        reasons: number of a row that it cannot take -> why.
    """

    rows: Rows
    predictions: SplitPredictions
    lengths: np.ndarray | None
    unit: str
    reasons: dict[int, str]

    def select(self, positions: np.ndarray) -> "PredictedRows":
        """Select the rows at these (num_rows,) positions."""
        chosen, outputs = self.predictions, self.predictions.outputs
        predictions = SplitPredictions(
            {name: take(column, positions) for name, column in outputs.items()},
            take(chosen.predictions, positions),
            take(chosen.targets, positions),
        )
        lengths = None if self.lengths is None else self.lengths[positions]
        rows = self.rows.select(positions)
        return replace(self, rows=rows, predictions=predictions, lengths=lengths)


def predict(predictor: "Predictor", labeled: LabeledInputs, batch_size: int) -> PredictedRows:
    """Predict all rows that the model can take; their labels are not passed to it."""
    task, rows, parts = predictor.task, labeled.rows, []
    size, num_rows = CHUNK_ROWS[task.modality], len(labeled.rows)
    for start in range(0, num_rows, size):
        stop = min(start + size, num_rows)
        title = f"rows {start + 1:,} to {stop:,} of {num_rows:,}"
        with cache_folder.temporary():  # these rows are not asked for again
            parts.append(_predict_some(predictor, labeled, start, stop, batch_size, title))
    reasons: dict[int, str] = {}
    for part in parts:
        reasons |= {int(rows.numbers[row]): reason for row, reason in part.reasons.items()}
    good = np.array([*chain.from_iterable(part.positions for part in parts)], int)
    measured = [part.lengths for part in parts if len(part.positions)]
    whole = all(lengths is not None for lengths in measured) and bool(measured)
    return PredictedRows(
        rows.select(good),
        SplitPredictions(
            {"logits": _joined([part.logits for part in parts])} if parts[0].has_scores else {},
            _joined([part.predictions for part in parts]),
            _joined([part.targets for part in parts]),
        ),
        np.concatenate([each for each in measured if each is not None]) if whole else None,
        next((part.unit for part in parts if part.unit), ""),
        reasons,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Some rows that were predicted together; `positions` are those of the rows that could be."""

    positions: np.ndarray
    predictions: Any
    targets: Any
    logits: Any
    has_scores: bool
    lengths: np.ndarray | None
    unit: str
    reasons: dict[int, str]


def _predict_some(
    predictor: "Predictor",
    labeled: LabeledInputs,
    start: int,
    stop: int,
    batch_size: int,
    title: str,
) -> _Part:
    task, kind = predictor.task, labeled.labels.problem_type
    examples = in_memory(labeled.rows.dataset, start, stop)
    reasons = dict(_mismatched(examples, task))
    whole = np.delete(np.arange(len(examples)), sorted(reasons))
    good = examples if not reasons else examples.select(whole)
    # labels are not passed to the model; a transcript is read beside its sound
    hidden = [task.target] if task.target in ("label", "answers") else []
    inputs = good.remove_columns(hidden)
    failed, rows, predicted = predict_rows(predictor, inputs, batch_size, title)
    reasons |= {int(whole[row]): reason for row, reason in failed.items()}
    reasons = {start + row: reason for row, reason in reasons.items()}
    if predicted is None:
        return _Part(np.zeros(0, int), [], [], None, kind in WITH_SCORES, None, "", reasons)
    if failed:
        good = good.select(np.delete(np.arange(len(good)), sorted(failed)))
    lengths, unit = _lengths(predicted, rows)
    return _Part(
        start + np.delete(whole, sorted(failed)),
        _of_labeled_words(predicted.predictions, good, kind),
        task.targets(good, predicted.encoded, labeled.labels),
        predicted.outputs["logits"] if kind in WITH_SCORES else None,
        kind in WITH_SCORES,
        lengths,
        unit,
        reasons,
    )


def _mismatched(examples: "Dataset", task: "Task") -> "list[tuple[int, str]]":
    """Find rows of texts whose labels do not fit them, such as tags of another number of words."""
    return [*task.corrupt_rows(examples)] if task.modality == "text" else []


def _of_labeled_words(predictions: Any, good: "Dataset", problem_type: str) -> Any:
    """Leave out the words that have no tag, as targets do."""
    if problem_type != TOKENS:
        return predictions
    labeled = []
    for tags, row in zip(predictions, good["label"][:], strict=True):
        labeled.append([tag for tag, right in zip(tags, row, strict=True) if right not in NO_TAG])
    return labeled


def _lengths(predicted: "Predicted", rows: "Dataset") -> tuple[np.ndarray | None, str]:
    """Measure rows: (lengths, their unit); of texts without encoded rows, words."""
    if predicted.encoded is not None:
        measures = predicted.task.measures(rows, predicted.encoded, predicted.processor)
        for unit in LENGTHS:
            if unit in measures and len(measures[unit].values) == len(rows):
                return np.asarray(measures[unit].values, float), unit
    if "text" not in rows.column_names or predicted.task.modality != "text":
        return None, ""
    return np.array([len(text.split()) for text in rows["text"][:]], float), "words"


def _joined(parts: "list[Any]") -> Any:
    """Join arrays or lists of several parts."""
    present = [part for part in parts if part is not None and len(part)]
    if present and all(isinstance(part, np.ndarray) for part in present):
        return np.concatenate(present)
    return [*chain.from_iterable(present)]
