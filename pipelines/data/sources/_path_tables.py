"""Tables whose rows name images or sounds: where they are in a folder, and the files they name."""

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data import media_paths
from pipelines.data.sources._dialect import kind
from pipelines.data.sources._encoding import open_bytes
from pipelines.data.sources._media_files import IMAGES, SOUNDS, MediaFiles
from pipelines.data.sources._media_layout import Layout

if TYPE_CHECKING:
    from datasets import Dataset

TEXTS, PARQUET = (".csv", ".tsv", ".json", ".jsonl"), ".parquet"
MAX_BYTES, MAX_ROWS = 2**16, 20  # that are read of a table, to see whether it names files
SUFFIXES = "|".join(sorted(suffix[1:] for suffix in IMAGES | SOUNDS))
NAME = re.compile(rf"[^/\\\s\"',;|]+\.(?:{SUFFIXES})\b", re.IGNORECASE)


def find_tables_of_paths(media: MediaFiles) -> dict[str, list[Path]]:
    """Map splits to the tables that name the images or sounds of a folder; {} if folders do.

    Folders win where they name several classes: a table beside them may be anything. A single table
    is `train`, others go by their names.
    """
    files = [file for files in media.by_kind.values() for file in files]
    if media.metadata or _num_classes(media.root, files) > 1:
        return {}
    names = {file.name for file in files}
    tables = [file for file in media.others if names & file_names(file)]
    if len(tables) == 1:
        return {"train": tables}
    return {table.stem: [table] for table in tables}


def file_names(table: Path) -> set[str]:
    """Return the names of images and sounds, without folders, in the first rows of a table."""
    if kind(table) in TEXTS:
        with open_bytes(table) as opened:
            start = opened.read(MAX_BYTES)
        # in UTF-16, every other byte of a name is zero
        return {*NAME.findall(start.replace(b"\0", b"").decode("utf-8", "replace"))}
    if kind(table) == PARQUET:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile

        with suppress(OSError, pa.ArrowException), ParquetFile(table) as opened:
            first = next(opened.iter_batches(MAX_ROWS), None)
            return {*NAME.findall(str(first.to_pylist() if first else ""))}
    return set()


def named_files(dataset: "Dataset", folder: Path, split: str) -> list[Path]:
    """List the images and sounds that columns of paths name, as far as they exist."""
    files: dict[Path, None] = {}
    for column in dataset.column_names:
        if NAME.search(" ".join(filter(None, media_paths.paths(dataset, column, MAX_ROWS)))):
            paths = [path for path in media_paths.paths(dataset, column) if path]
            with suppress(DataError):  # said where the column is used
                base = media_paths.find_base(folder, paths, split)
                files.update(dict.fromkeys(base / path for path in paths))
    return [file for file in files if file.is_file()]


def _num_classes(root: Path, files: list[Path]) -> int:
    layout = Layout(root, files)
    labels: set[str | None] = set()
    for file in files:
        with suppress(DataError):  # in no folder
            labels.add(layout.place(file).label)
    return len(labels - {None})
