"""metadata.csv, .jsonl or .parquet beside images or sounds -> splits, as `imagefolder` reads them.

Each row names a file, relative to the table, in the column `file_name`; all other columns are those
of the data set, whatever folders the files are in.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.upstream import dataset_fingerprint

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


def feature(kind: str) -> Any:
    """Return the feature of `datasets` for a column of images or sounds."""
    from datasets import Audio, Image

    return Image() if kind == "image" else Audio(decode=False)


def paths(
    files: list[Path | None],
) -> tuple[list[dict[str, Any] | None], list[tuple[str, int, int] | None]]:
    """Return (values of an image or audio column, path, size and time of change) of each file.

    The second differs once a file was replaced. A file that is not there is a row that cannot be
    read, and no error here.
    """
    absolute = [file and file.absolute() for file in files]
    media = [{"bytes": None, "path": str(file)} if file else None for file in absolute]
    return media, [_version(file) if file else None for file in absolute]


def _version(file: Path) -> tuple[str, int, int]:
    try:
        stat = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), stat.st_size, stat.st_mtime_ns


def _describe(
    table: Path, kind: str, read: "Callable[[Path], Dataset]"
) -> "tuple[Dataset, list[Path | None]]":
    """Replace the column of names by one of files: (data set, the file of each row)."""
    from datasets.fingerprint import Hasher

    rows = read(table)
    if COLUMN not in rows.column_names:
        columns = ", ".join(rows.column_names)
        raise DataError(f"{table}: no column '{COLUMN}', which names the files; columns: {columns}")
    files = [table.parent / str(name) if name else None for name in rows[COLUMN][:]]
    media, versions = paths(files)
    rows = rows.remove_columns([COLUMN, *({kind} & {*rows.column_names})])
    key = Hasher.hash([dataset_fingerprint(rows), versions])
    return rows.add_column(kind, media, new_fingerprint=key, feature=feature(kind)), files
