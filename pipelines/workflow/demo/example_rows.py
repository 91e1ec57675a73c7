"""`predictions/<split>.parquet` of a run -> a few examples for the page.

Texts are taken as they stand there; of images and sounds, those whose files are still in place, or
that the run has copied because a table holds them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.core.console import warn
from pipelines.core.errors import GraftError
from pipelines.report import whole_files
from pipelines.report.example_table import MAX_CHARACTERS
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.demo.fields import Field

SPLITS = ("test", "validation")


def read(name: str | Path, fields: Sequence[Field]) -> list[list[str]]:
    """Read examples from all over the test split, else validation; a line says if there are none.

    Returns:
        A list of examples, each with a value for every field.
    """
    import pyarrow as pa

    try:
        folder = RunFolder.of(name)
    except GraftError:  # a checkpoint of others
        return []
    files = [folder.predictions / f"{split}.parquet" for split in SPLITS]
    present = [file for file in files if file.is_file()]
    try:
        rows = _rows(present[0]) if present else []
    except (OSError, pa.ArrowException):  # a page without examples is a page, too
        rows = []
    if fields[0].kind != "text":
        rows = [{**row, "input": _file(folder, present[0].stem, row)} for row in rows]
    values = (_values(row, fields) for row in rows)
    examples = [each for each in values if each][: whole_files.NUM_EXAMPLES]
    if not examples:
        warn(f"no examples on the page: {folder.predictions} has no {_missing(fields)}")
    return examples


def _missing(fields: Sequence[Field]) -> str:
    """Describe what rows of the predictions would have to have."""
    if fields[0].kind == "text":
        return f"row with all inputs, each below {MAX_CHARACTERS:,} characters"
    return f"row whose {fields[0].kind} file is still in place"


def _rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(file, format="parquet")
    names = [name for name in ("row", "input", "context") if name in table.schema.names]
    numbers = whole_files.order(table.count_rows())
    rows: list[dict[str, Any]] = table.take(pa.array(numbers), columns=names).to_pylist()
    return rows


def _file(folder: RunFolder, split: str, row: dict[str, Any]) -> str | None:
    """Return the file of an image or a sound; None where there is none."""
    if copied := whole_files.find(folder, split, row.get("row", -1)):
        return copied
    # a name beside bytes is no path, and may be that of another file here
    path = row.get("input") or ""
    return path if os.path.isabs(path) and os.path.isfile(path) else None


def _values(row: dict[str, Any], fields: Sequence[Field]) -> list[str]:
    """Return a value for each field; none where the row does not have them whole."""
    roles, shown = [field.role for field in fields], row.get("input")
    if not shown:
        return []
    if roles == ["question", "context"] and row.get("context"):
        values = [shown, row["context"]]
    elif roles == ["text", "text_pair"] and shown.count("\n") == 1:
        values = shown.split("\n")
    elif len(fields) == 1:
        values = [shown]
    else:
        return []
    if fields[0].kind != "text":
        return values
    return values if max(map(len, values)) < MAX_CHARACTERS and all(values) else []
