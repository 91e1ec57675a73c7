"""Per-example predictions as parquet: ids, inputs, labels, predictions, losses and all scores.

row          its number in the split
id           its id column, else the name of its file, else its number as text
input        its text, question or file, as far as a reader needs it to recognize the example
label        its name; of several labels, or of words, a list; of a regression, a number
prediction   in the same form
correct      whether all of it is right
confidence   the probability of the prediction; of several labels that of the least sure one
loss         cross-entropy in nats, squared error, or nats per token
scores       of each class, in the order of `graft.labels` in the metadata of the schema
context      of a question
source       which of several sources the row is of; no column where there is one

What is not defined for a task is null; without classes there are no scores.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import CHOICE, LANGUAGE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.data import row_ids
from pipelines.evaluation import examples
from pipelines.report.evidence import SplitPredictions

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.data.rows import Rows

LABELS = b"graft.labels"  # key of the names of all classes, as JSON
MAX_CHARACTERS = 2_000  # of an input
MAX_ROWS_AT_A_TIME = 20_000


def write(
    path: Path, predictions: SplitPredictions, labels: Labels, rows: "Rows | None" = None
) -> None:
    """Write a row for each example.

    Args:
        rows: the examples; None where they are not at hand.
    """
    from pyarrow.parquet import ParquetWriter

    if rows is not None and len(rows) != len(predictions.targets):  # blocks of texts are no rows
        rows = None
    schema = _schema(labels, rows)
    with ParquetWriter(path, schema) as file:
        for table in _tables(predictions, labels, rows, schema):
            file.write_table(table)


def _schema(labels: Labels, rows: "Rows | None") -> "pa.Schema":
    import pyarrow as pa

    value: Any = pa.string()
    if labels.problem_type in (MULTI, TOKENS):
        value = pa.list_(pa.string())
    elif labels.problem_type == REGRESSION:
        value = pa.float64()
    is_answer = labels.problem_type.startswith(examples.ANSWERS)
    kinds: dict[str, Any] = {
        "row": pa.int64(),
        "id": pa.string(),
        "input": pa.string(),
        "label": pa.list_(pa.string()) if is_answer else value,
        "prediction": value,
        "correct": pa.bool_(),
        "confidence": pa.float64(),
        "loss": pa.float64(),
    }
    if labels.problem_type in examples.WITH_SCORES:
        kinds["scores"] = pa.list_(pa.float32())
    if is_answer:
        kinds["context"] = pa.string()
    if rows is not None and rows.domains is not None:
        kinds["source"] = pa.string()
    return pa.schema(kinds, metadata={LABELS: json.dumps(labels.names).encode()})


def _tables(
    predicted: SplitPredictions, labels: Labels, rows: "Rows | None", schema: "pa.Schema"
) -> Iterator["pa.Table"]:
    """Yield the rows, as many at a time as fit into memory with their scores."""
    import pyarrow as pa

    num_rows = len(predicted.targets)
    sides = predicted.predictions, predicted.targets
    losses = examples.losses(predicted.outputs, *sides, labels)
    confidences = examples.confidences(predicted.outputs, sides[0], labels)
    right = examples.are_right(*sides, labels)
    size = min(MAX_ROWS_AT_A_TIME, max(1, examples.MAX_CELLS // labels.num_labels))
    for start in range(0, num_rows, size):
        part = slice(start, min(start + size, num_rows))
        numbers = pa.array(np.arange(part.start, part.stop))
        columns: dict[str, Any] = {
            "row": numbers,
            "id": numbers.cast(pa.string()),
            **_read(rows, part),
            "label": _named(predicted.targets[part], labels, schema.field("label")),
            "prediction": _named(predicted.predictions[part], labels, schema.field("prediction")),
            "correct": None if right is None else pa.array(right[part]),
            "confidence": None if confidences is None else pa.array(confidences[part]),
            "loss": None if losses is None else pa.array(losses[part], from_pandas=True),
        }
        if "scores" in schema.names:
            logits = predicted.outputs["logits"][part]
            columns["scores"] = _lists(examples.probabilities(logits, labels).astype(np.float32))
        arrays = []
        for field in schema:
            column = columns.get(field.name)
            empty = pa.nulls(len(numbers), field.type)
            arrays.append(empty if column is None else column.cast(field.type))
        yield pa.Table.from_arrays(arrays, schema=schema)


def _read(rows: "Rows | None", positions: slice) -> dict[str, Any]:
    """Read what names and shows some rows; nothing where there are none."""
    import pyarrow as pa

    if rows is None:
        return {}
    return {
        "id": row_ids.read(rows, positions),
        "input": _inputs(rows, positions),
        "context": _contexts(rows, positions),
        "source": None if rows.sources is None else pa.array(rows.sources[positions]),
    }


def _lists(values: np.ndarray) -> "pa.Array":
    """Make a list of each row."""
    import pyarrow as pa

    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))


def _named(values: Any, labels: Labels, field: "pa.Field") -> "pa.Array | None":
    """Write labels or predictions by their names; None where they are no answers."""
    import pyarrow as pa

    kind = labels.problem_type
    if kind == LANGUAGE:
        return None
    if kind not in (SINGLE, MULTI, CHOICE):
        return pa.array(values, field.type)
    names, ids = pa.array(labels.names, pa.string()), np.asarray(values).astype(int)
    if kind != MULTI:
        return names.take(pa.array(ids))
    given = ids.astype(bool)
    offsets = np.concatenate([[0], np.cumsum(given.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, names.take(pa.array(np.nonzero(given)[1])))


def _inputs(rows: "Rows", positions: slice) -> "pa.Array | None":
    """Write what a reader recognizes the examples by."""
    import pyarrow.compute as pc

    files = row_ids.paths(rows, positions)
    if files is not None:
        return files
    names = rows.dataset.column_names
    if "context" in names:  # of questions, which differ
        shown = ["question"]
    else:
        shown = [n for n in ("tokens", "text", "text_pair", "question") if n in names]
    if not shown:
        return None
    table = rows.dataset.select_columns(shown).with_format("arrow")[positions]
    texts = [_as_text(table[name]) for name in shown]
    return pc.binary_join_element_wise(*texts, "\n", null_handling="skip")


def _contexts(rows: "Rows", positions: slice) -> "pa.Array | None":
    if "context" not in rows.dataset.column_names:
        return None
    table = rows.dataset.select_columns(["context"]).with_format("arrow")[positions]
    return _as_text(table["context"])


def _as_text(column: "pa.ChunkedArray") -> "pa.Array":
    """Write texts, or lists of words, of which long ones are cut off."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), " ")
    elif not pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    # cut off first: a chunk of whole documents may exceed what one array of texts holds
    return pc.utf8_slice_codeunits(column, 0, MAX_CHARACTERS).cast(pa.string()).combine_chunks()
