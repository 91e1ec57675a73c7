"""The column that `data.group` names -> which rows belong together, in all splits."""

import re
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError, suggest
from pipelines.data.dataset import Note
from pipelines.data.rows import Groups, Rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


# a column with such a name groups rows, if its values repeat
USUAL = re.compile(
    r"(patient|speaker|author|writer|reader|participant|user|client|document|doc)([ _-]?(id|name))?"
    r"|(subject|person|customer|session|recording|video)[ _-]?id",
    re.IGNORECASE,
)
MIN_ROWS_OF_VALUE = 2  # on average


def usual(train: "Dataset", taken: Container[str]) -> str:
    """Find a column that is likely to group rows; empty where there is none.

    Args:
        taken: columns that are read, which may be of texts called `document`.
    """
    for name, feature in train.features.items():
        is_single = getattr(feature, "dtype", "").startswith(("string", "large_string", "int"))
        if is_single and name not in taken and USUAL.fullmatch(name):
            count = len(train.unique(name))
            if 1 < count <= len(train) / MIN_ROWS_OF_VALUE:
                return name
    return ""


def check(available: list[str], column: str | None) -> None:
    """Check that train has the column.

    Raises:
        DataError: it has not.
    """
    if column is not None and column not in available:
        raise DataError(f"data.group: train has no column '{column}'; {suggest(column, available)}")


def read(dataset: "Dataset", column: str, split: str, note: Note) -> "pa.Array":
    """Read the column of a split as texts, with nulls where it is empty.

    White space around a value does not count. A split without the column has nulls alone.

    Args:
        note: is called with what is missing.

    Raises:
        DataError: it holds no single values, or train has none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column not in dataset.column_names:
        note(f"{split}: no column '{column}' (data.group): its groups are not known")
        return pa.nulls(len(dataset), pa.string())
    values = dataset.select_columns([column]).with_format("arrow")[:][column].combine_chunks()
    if names := getattr(dataset.features[column], "names", None):
        is_named = pc.greater_equal(values, 0)
        values = pa.array(names).take(pc.if_else(is_named, values, None))
    texts = pc.utf8_trim_whitespace(_texts(values, column, split))
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    if split == "train" and texts.null_count == len(texts):
        raise DataError(
            f"data.group: '{column}' is empty in all rows of train; name another column, or leave "
            "data.group out"
        )
    if texts.null_count:
        rows = f"{texts.null_count:,} of {len(texts):,} rows"
        note(f"{split}: {rows} have no '{column}' (data.group): each is a group of its own")
    return texts


def _texts(values: "pa.Array", column: str, split: str) -> "pa.Array":
    """Cast single values of any type to texts; 7.0 is written as 7."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind: Any = values.type
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), None, values)
        if pc.all(pc.equal(values, pc.floor(values))).as_py():
            values = values.cast(pa.int64())
    elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        has_fields = pa.types.is_struct(kind) and kind.num_fields
        advice = f"; name a field: data.group={column}.{kind.field(0).name}" if has_fields else ""
        raise DataError(
            f"data.group: '{column}' of {split} holds {kind}; expected one value in each row, such "
            f"as the id of a patient, a speaker or a document{advice}"
        )
    return values.cast(pa.large_string())


def number(values: "Mapping[str, pa.Array]", column: str) -> dict[str, Groups]:
    """Number equal values alike in all splits, and each row without a value by itself.

    Args:
        values: split -> (rows,) texts, as they were read.
    """
    import pyarrow as pa

    columns = [texts.cast(pa.large_string()) for texts in values.values()]
    encoded = pa.concat_arrays(columns).dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False)
    is_missing = np.asarray(encoded.is_null())
    numbers = np.where(is_missing, 0, numbers).astype(np.int64)
    numbers[is_missing] = len(encoded.dictionary) + np.arange(is_missing.sum())
    stops = np.cumsum([len(texts) for texts in columns])
    return {
        split: Groups(column, of_split, encoded.dictionary)
        for split, of_split in zip(values, np.split(numbers, stops[:-1]), strict=True)
    }


def describe(rows_by_split: Mapping[str, Rows]) -> str:
    """Describe the groups of all splits as they are used; empty without `data.group`."""
    train = rows_by_split["train"].groups
    if train is None:
        return ""
    low, high = train.sizes.min(), train.sizes.max()
    if high == 1:
        return (
            f"data.group: no two rows of train have the same '{train.column}': it changes nothing"
        )
    counts = {split: rows.groups.count for split, rows in rows_by_split.items() if rows.groups}
    sizes = f"{low:,} to {high:,}" if low < high else f"{low:,}"
    shown = ", ".join(f"{count:,} in {split}" for split, count in counts.items())
    shown = shown.replace("in train", f"in train (of {sizes} rows)", 1)
    return f"groups: '{train.column}': {shown}; no cut or fold of train divides one"
