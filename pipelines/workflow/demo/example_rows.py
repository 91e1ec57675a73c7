"""`predictions/<split>.parquet` of a run -> a few examples for the page, with their right answers.

Texts are taken as they stand there; of images and sounds, those whose files are still in place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.core.errors import GraftError
from pipelines.report.example_table import MAX_CHARACTERS
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.demo.fields import Field

SPLITS = ("test", "validation")
NUM_EXAMPLES = 8
NUM_TRIED = 64  # some rows may be cut off, or their files gone


def read(name: str | Path, fields: Sequence[Field]) -> list[list[str]]:
    """Read examples from all over the test split, else validation; none where a run has none.

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
        return []
    values = (_values(row, fields) for row in rows)
    return [each for each in values if each][:NUM_EXAMPLES]


def _rows(file: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.dataset

    table = pyarrow.dataset.dataset(file, format="parquet")
    names = [name for name in ("input", "context") if name in table.schema.names]
    count = table.count_rows()
    numbers = np.unique(np.linspace(0, max(count - 1, 0), min(count, NUM_TRIED)).astype(int))
    rows = table.take(pa.array(numbers), columns=names).to_pylist()
    # so that the first few are from all over the split, too
    order = np.argsort(np.arange(len(rows)) % NUM_EXAMPLES, kind="stable")
    return [rows[number] for number in order]


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
        return values if Path(shown).is_file() else []
    return values if max(map(len, values)) < MAX_CHARACTERS and all(values) else []
