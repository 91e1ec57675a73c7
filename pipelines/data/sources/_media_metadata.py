"""metadata.csv, .jsonl or .parquet beside images or sounds -> splits, as `imagefolder` reads them.

Each row names a file, relative to the table, in the column `file_name`; all other columns are those
of the data set, whatever folders the files are in.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data import media_paths

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources._media_layout import Layout

COLUMN = "file_name"


@dataclass(frozen=True)
class Described:
    """Splits that metadata describe.

    Attributes:
        notes: what was inferred, one line each.
    """

    datasets: "dict[str, Dataset]"
    notes: list[str]


def load(
    tables: list[Path],
    kind: str,
    files: list[Path],
    layout: "Layout",
    read: "Callable[[Path], Dataset]",
) -> Described:
    """Read the rows of all tables, each into the split whose folder it is in.

    Raises:
        DataError: a table lacks `file_name`.
    """
    from datasets import concatenate_datasets

    parts: dict[str, list[Dataset]] = defaultdict(list)
    listed: set[Path] = set()
    for table in tables:
        described, named = _describe(table, kind, read)
        listed.update(filter(None, named))
        by_split: dict[str, list[int]] = defaultdict(list)
        for row, file in enumerate(named):
            near = file if file and file.is_relative_to(layout.root) else table
            by_split[layout.split(near.parent)].append(row)
        for split, rows in by_split.items():
            whole = len(rows) == len(described)
            parts[split].append(described if whole else described.select(rows))
    names = ", ".join(str(table.relative_to(layout.root)) for table in tables[:3])
    notes = [f"labels and other columns are those of {names}, not the names of folders"]
    num_unlisted = len(set(files) - listed)
    if num_unlisted:
        notes.append(f"{num_unlisted:,} of {len(files):,} files are not in the metadata: left out")
    return Described({name: concatenate_datasets(each) for name, each in parts.items()}, notes)


def _describe(
    table: Path, kind: str, read: "Callable[[Path], Dataset]"
) -> "tuple[Dataset, list[Path | None]]":
    """Replace the column of names by one of files: (data set, the file of each row)."""
    rows = read(table)
    if COLUMN not in rows.column_names:
        columns = ", ".join(rows.column_names)
        raise DataError(f"{table}: no column '{COLUMN}', which names the files; columns: {columns}")
    files = [table.parent / str(name) if name else None for name in rows[COLUMN][:]]
    return media_paths.with_files(rows.remove_columns(COLUMN), kind, files), files
