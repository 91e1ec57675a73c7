"""Inputs -> answered rows, some thousand at a time."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from pipelines.core import cache_folder
from pipelines.core.errors import DataError
from pipelines.data.inputs import Inputs, with_blank_targets
from pipelines.tasks.text import choices
from pipelines.workflow.inference.answered_rows import AnsweredRows
from pipelines.workflow.inference.answers import Wanted, describe
from pipelines.workflow.inference.predicted import Answers, Predicted

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from pipelines.tasks import ModelOutputs
    from pipelines.workflow.inference.predictor import Predictor

# rows that are sorted by length together, and held with their outputs
CHUNK_ROWS = {"text": 8192, "image": 1024, "audio": 1024}
PREFIX = "model_"  # of our columns, where the rows have columns of these names
NOT_FINITE = "the model's outputs are not finite numbers"


def predict_chunks(
    predictor: "Predictor", inputs: Inputs, wanted: Wanted, *, batch_size: int = 64
) -> Iterator[AnsweredRows]:
    """Predict rows in chunks, each of which is sorted by length inside.

    Args:
        batch_size: rows of mean length in a batch.

    Raises:
        ModelError: the model cannot give what is wanted.
    """
    wanted.check(predictor.task, predictor.labels)
    size, num_rows = CHUNK_ROWS[predictor.task.modality], len(inputs)
    for start in range(0, num_rows, size):
        stop = min(start + size, num_rows)
        title = f"rows {start + 1:,} to {stop:,} of {num_rows:,}"
        with cache_folder.temporary():  # these rows are not asked for again
            examples = in_memory(inputs.examples, start, stop)
            reasons, answers = _answer(predictor, examples, wanted, batch_size, title)
        table = inputs.table.with_format("arrow")[start:stop]
        bad = np.array(sorted(reasons), int)
        good = table.take(np.delete(np.arange(len(table)), bad))
        why = {"row": start + bad, "reason": [reasons[row] for row in bad]}
        yield AnsweredRows(_with_columns(good, answers), _with_columns(table.take(bad), why))


def _with_columns(table: "pa.Table", columns: Mapping[str, Any]) -> "pa.Table":
    """Add columns behind those of the input, by names that it does not have.

    Raises:
        DataError: it has columns of all such names.
    """
    import pyarrow as pa

    taken = {*columns} & {*table.column_names}
    if taken and {PREFIX + name for name in columns} & {*table.column_names}:
        raise DataError(
            f"the input has columns {', '.join(sorted(taken))}, as predictions have; rename them"
        )
    for name, values in columns.items():
        column = values if isinstance(values, pa.Array) else pa.array(values)
        table = table.append_column(PREFIX + name if taken else name, column)
    return table


def _answer(
    predictor: "Predictor", examples: "Dataset", wanted: Wanted, batch_size: int, title: str
) -> tuple[dict[int, str], Answers]:
    """Predict some rows: (row -> why it cannot be predicted, columns for all others)."""
    reasons, rows, predicted = predict_rows(predictor, examples, batch_size, title)
    return reasons, describe(predicted, rows, wanted) if predicted else {}


def predict_rows(
    predictor: "Predictor", examples: "Dataset", batch_size: int, title: str
) -> "tuple[dict[int, str], Dataset, Predicted | None]":
    """Pass the rows through the model that it can take.

    Args:
        examples: inputs by role, without labels, in memory.

    Returns:
        (row -> why it cannot be predicted, all other rows, what the model says about these; None
        where there are none).
    """
    task = predictor.task
    examples, problems = _arranged(with_blank_targets(examples, task), predictor)
    reasons = dict(problems)
    good = np.delete(np.arange(len(examples)), sorted(reasons))
    good = _without(task.corrupt_rows(_select(examples, good)), good, reasons)
    for processor, config in predictor.readers:
        if len(good):
            rows = _select(examples, good)
            unsupported = task.unsupported_rows(rows, processor, _in_inference(config))
            good = _without(unsupported, good, reasons)
    while len(good):
        rows = _select(examples, good)
        encoded, outputs = predictor.run(rows, batch_size=batch_size, title=title)
        lost = _not_finite(outputs, encoded)
        if not len(lost):
            predicted = Predicted(task, outputs, predictor.labels, encoded, predictor.processor)
            return reasons, rows, predicted
        # once more without them: outputs of several windows belong to one example
        good = _without(((int(row), NOT_FINITE) for row in lost), good, reasons)
    return reasons, examples.select([]), None


def _select(examples: "Dataset", numbers: np.ndarray) -> "Dataset":
    """Select rows by their numbers; all of them keep the key under which images are decoded."""
    return examples if len(numbers) == len(examples) else examples.select(numbers)


def _arranged(examples: "Dataset", predictor: "Predictor") -> "tuple[Dataset, Mapping[int, str]]":
    """Bring choices into the form that the task reads: (rows, row -> what is wrong with it)."""
    if "choices" not in examples.column_names:
        return examples, {}
    return choices.texts_of(examples, predictor.labels.num_labels)


def _in_inference(config: Any) -> Any:
    """Copy a config without what a model does in training alone, such as to mask sounds."""
    copied = copy(config)
    copied.apply_spec_augment = False
    return copied


def _not_finite(outputs: "ModelOutputs", encoded: Any) -> np.ndarray:
    """Return the numbers of examples for which an output is not finite."""
    lost: set[int] = set()
    for values in outputs.values():
        if isinstance(values, np.ndarray):
            is_finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            lost.update(np.flatnonzero(~is_finite).tolist())
        else:
            lost.update(row for row, value in enumerate(values) if not np.isfinite(value).all())
    if lost and "example" in getattr(encoded, "column_names", ()):
        numbers = encoded["example"][:]
        lost = {numbers[row] for row in lost}
    return np.array(sorted(lost), int)


def _without(
    problems: Iterable[tuple[int, str]], numbers: np.ndarray, reasons: dict[int, str]
) -> np.ndarray:
    """Note why some of the rows `numbers` cannot be predicted, and return the others."""
    bad = dict(problems)
    reasons |= {int(numbers[row]): reason for row, reason in bad.items()}
    return np.delete(numbers, sorted(bad))


def in_memory(dataset: "Dataset", start: int, stop: int) -> "Dataset":
    """Copy some rows, so that what is encoded of them is not written beside their file."""
    from datasets import Dataset, DatasetInfo

    table = dataset.with_format("arrow")[start:stop]
    # a name of its own: `datasets` would hash all values for one
    return Dataset(table, info=DatasetInfo(features=dataset.features), fingerprint=uuid4().hex[:16])
