"""Tables that a recipe names: `data.splits: {train: a.csv, test: [b.csv, "c-*.csv"]}`."""

import glob
import os
from pathlib import Path

from pipelines.core import regular_files
from pipelines.core.errors import DataError, suggest
from pipelines.core.regular_files import real_path
from pipelines.data.sources._dialect import kind
from pipelines.data.sources._tables import SUFFIXES
from pipelines.data.split_names import SplitNames


def named_tables(folder: Path, requested: SplitNames) -> dict[str, list[Path]]:
    """Map the names that a recipe has for a split to the files that they name.

    A single name that is none of a table is that of a split, and left to the others.

    Args:
        folder: what the names are relative to.

    Raises:
        DataError: no such file, or one in two splits.
    """
    tables: dict[str, list[Path]] = {}
    split_of: dict[Path, str] = {}
    for split, names in requested.lists.items():
        if isinstance(getattr(requested, split), str) and not is_table(Path(names[0])):
            continue
        files = dict.fromkeys(file for name in names for file in _files(folder, split, name))
        for file in files:
            if file in split_of:
                raise DataError(
                    f"data.splits.{split}: {file} is a file of {split_of[file]} as well, but "
                    "splits never share an example"
                )
            split_of[file] = split
        tables[requested.names[split]] = list(files)
    return tables


def is_table(file: Path) -> bool:
    """Return whether the suffix of a file is that of a table or of plain text."""
    return kind(file) in SUFFIXES


def _files(folder: Path, split: str, name: str) -> list[Path]:
    """Return the files of one name, which may have wildcards; in their order."""
    file = folder / Path(name).expanduser()
    # a name may hold what is a wildcard elsewhere
    if reason := regular_files.problem(file):
        raise DataError(f"data.splits.{split}: {file}: {reason}; expected a table")
    if file.is_file():
        files = [file]
    else:
        pattern = os.path.join(glob.escape(str(folder)), Path(name).expanduser())
        matches = sorted(map(Path, glob.glob(pattern, recursive=True)))
        files = [match for match in matches if is_table(match) and match.is_file()]
    if not files:
        tables = sorted(str(f.relative_to(folder)) for f in folder.glob("*") if is_table(f))
        raise DataError(
            f"data.splits.{split}: no table '{name}' in {real_path(folder)}; "
            f"{suggest(name, tables)}"
        )
    if not is_table(files[0]):
        raise DataError(
            f"data.splits.{split}: {files[0]}: not a table that can be read; "
            f"known: {', '.join(SUFFIXES)}"
        )
    return files
