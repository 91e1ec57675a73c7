"""Columns of paths -> columns that name the files of images or sounds."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.upstream import dataset_fingerprint
from pipelines.data.sources._content import read_digests

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.dataset import Note

MAX_SHOWN = 80  # characters of a value or a type, in messages
MAX_PROBED_PATHS = 10  # some of which may lead to nothing


def feature(kind: str) -> Any:
    """Return the feature of `datasets` for a column of images or sounds, which `tasks` decode."""
    from datasets import Audio, Image

    return Image() if kind == "image" else Audio(decode=False)


def with_files(dataset: "Dataset", kind: str, files: Sequence[Path | None]) -> "Dataset":
    """Add the column `kind`, or replace it, by one that names a file for each row.

    A file that is not there is a row that cannot be read, and no error here.
    """
    import pyarrow as pa
    from datasets import Dataset, Features
    from datasets.fingerprint import Hasher

    absolute = [file.absolute() if file else None for file in files]
    media = [{"bytes": None, "path": str(file)} if file else None for file in absolute]
    # caches are keyed by this; paths, sizes and times would hide that a file was replaced
    readable = {f for f in absolute if f and f.is_file() and os.access(f, os.R_OK)}
    digests = read_digests(readable)
    contents = [(str(file), digests.get(file)) if file else None for file in absolute]
    key = Hasher.hash([dataset_fingerprint(dataset), contents])
    if dataset.column_names == [kind]:  # nothing is left that a column could be added to
        schema = Features({kind: feature(kind)}).arrow_schema
        return Dataset(
            pa.Table.from_pylist([{kind: file} for file in media], schema), fingerprint=key
        )
    others = dataset.remove_columns([kind]) if kind in dataset.column_names else dataset
    return others.add_column(kind, media, new_fingerprint=key, feature=feature(kind))


def paths(dataset: "Dataset", column: str, num_rows: int | None = None) -> list[str | None]:
    """Return a column of paths, or of {bytes, path} without bytes; [] for any other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = dataset.select_columns([column]).with_format("arrow")[:num_rows][column]
    if pa.types.is_struct(values.type) and {"bytes", "path"} <= {f.name for f in values.type}:
        if pc.count(pc.struct_field(values, "bytes")).as_py():
            return []
        values = pc.struct_field(values, "path")
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    result: list[str | None] = values.to_pylist() if is_text else []
    return result


def find_base(folder: Path, paths: Sequence[str | None], split: str) -> Path:
    """Find the folder that paths are relative to: that of the table, or the only one below it.

    Of several, the one named after the split.

    Raises:
        DataError: none of the first MAX_PROBED_PATHS is in any of them, or in several.
    """
    probed = [path for path in paths if path][:MAX_PROBED_PATHS]

    def holds(base: Path) -> bool:
        """Return whether one of the paths leads somewhere from here."""
        return any((base / path).exists() for path in probed)

    if holds(folder):
        return folder
    below = [Path(parent) for parent, _, _ in os.walk(folder)] if folder.is_dir() else []
    holding = list(filter(holds, below))
    named = [base for base in holding if base.name == split]
    if len(named or holding) == 1:
        return (named or holding)[0]
    several = f", but in {' and '.join(map(str, holding[:2]))}" if holding else ""
    raise DataError(f"no such file in {folder}{several}")


def from_paths(
    dataset: "Dataset",
    kind: str,
    paths: Sequence[str | None],
    folder: Path | None,
    split: str,
    note: "Note",
) -> "Dataset":
    """Turn a column of paths into one of the files that they lead to.

    Args:
        folder: what paths are relative to; None where they have to be absolute.
        note: is called with the folder that they turn out to be relative to.

    Raises:
        DataError: none of them leads to a file.
    """
    first = next((path for path in paths if path), "")
    try:
        base = find_base(folder, paths, split) if folder else Path()
    except DataError as error:
        raise _no_file(kind, split, first, str(error)) from error
    files = [base / path if path else None for path in paths]
    if not any(file and file.exists() for file in files):
        raise _no_file(kind, split, first, "no such file on this machine")
    if not Path(first).is_absolute():
        note(f"{split}: the {kind} column holds paths, relative to {base}")
    return with_files(dataset, kind, files)


def _no_file(kind: str, split: str, path: str, reason: str) -> DataError:
    return DataError(
        f"{split}: the {kind} column holds {path[:MAX_SHOWN]!r}: {reason}; expected paths, "
        f"relative to the table, or name another column: data.columns.{kind}=…"
    )
