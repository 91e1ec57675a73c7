"""The column that names each row of a split: its id, or the number of the row."""

import re
from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np

from pipelines.data.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

# columns that usually name rows, if no value repeats
USUAL = re.compile(
    r"_?(id|idx|index|guid|uuid|uid|key)|(row|example|sample|item|text|doc|document|question|pair"
    r"|image|clip|utterance|utt|sentence|review|tweet|post|message|record)[ _-]?(id|idx|index)"
    r"|qid|file_?name|file_?path",
    re.IGNORECASE,
)
MEDIA = ("image", "audio")  # roles whose files name rows
MAX_FILES_AT_A_TIME = 64  # whose bytes may stand beside their paths


def find(dataset: "Dataset", taken: Container[str]) -> "Dataset | None":
    """Select the column that names the rows of a split as it was loaded; None without one.

    Args:
        taken: columns that are read as inputs or labels.
    """
    for name, feature in dataset.features.items():
        is_single = getattr(feature, "dtype", "").startswith(("string", "large_string", "int"))
        if is_single and name not in taken and USUAL.fullmatch(name):
            column = dataset.select_columns([name])
            if len(column.unique(name)) == len(column):
                return column
    return None


def read(rows: Rows, positions: slice) -> "pa.Array":
    """Read the names of some rows as texts: ids, else names of files, else row numbers.

    Args:
        positions: of rows in the split.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = rows.numbers[positions]
    names = pa.array(numbers).cast(pa.string())
    if rows.ids is not None:
        column = rows.ids.with_format("arrow")[numbers.tolist()].column(0)
        return pc.coalesce(column.cast(pa.string()).combine_chunks(), names)
    files = paths(rows, positions)
    if files is None:
        return names
    return pc.coalesce(pc.replace_substring_regex(files, r"^.*[/\\]", ""), names)


def paths(rows: Rows, positions: slice) -> "pa.Array | None":
    """Read the files of some rows, null where there is none; None where rows are no files."""
    import pyarrow as pa
    import pyarrow.compute as pc

    role = next((role for role in MEDIA if role in rows.dataset.column_names), None)
    if role is None:
        return None
    table = rows.dataset.select_columns([role]).with_format("arrow")
    numbers = np.arange(len(rows))[positions]
    parts = []
    for start in range(0, len(numbers), MAX_FILES_AT_A_TIME):
        part = numbers[start : start + MAX_FILES_AT_A_TIME]
        # by numbers in a row: whole bytes of files are not copied
        column = table[int(part[0]) : int(part[-1]) + 1].column(0)
        if not pa.types.is_struct(column.type):
            return None
        parts.append(pc.struct_field(column.combine_chunks(), "path").cast(pa.string()))
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())
