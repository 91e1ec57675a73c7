"""Where data are in fact: in an archive, or in the only folder of a folder."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import DataError
from pipelines.data.sources._archives import is_archive, unpack
from pipelines.data.sources._content import digest, read_digests
from pipelines.data.sources._media_files import SUFFIXES as MEDIA
from pipelines.data.sources._media_layout import SPLIT_NAMES, usual_split
from pipelines.data.sources._named_tables import is_table
from pipelines.data.sources._table_layout import find_tables
from pipelines.data.sources._text_form import LINES
from pipelines.data.split_names import SplitNames


@dataclass(frozen=True)
class Location:
    """A file or a folder to read.

    Attributes:
        archives: what it was unpacked from.
        notes: what was inferred.
    """

    root: Path
    archives: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def locate(path: Path, requested: SplitNames, *, read_again: bool = False) -> Location:
    """Find the data that a path means; archives are unpacked into the cache.

    Args:
        read_again: look at archives anew, and not as this run has read them.

    Raises:
        DataError: an archive that cannot be unpacked, or several of which none is a split.
    """
    archives = _archives(path)
    notes = []
    root = path
    if archives:
        files = [*archives.values()]
        digests = read_digests(files) if read_again else {file: digest(file) for file in files}
        root = unpack(archives, digests)
        notes.append(f"read from {', '.join(file.name for file in files)}, unpacked into {root}")
    inner = _unwrapped(root, requested)
    if inner != root:
        notes.append(f"read from {inner}, the only folder")
    tables = [file for file in _visible(inner) if is_table(file)]
    # a table that was packed alone
    if archives and len(tables) == len(_visible(inner)) == 1:
        inner = tables[0]
    return Location(inner, tuple(archives.values()), tuple(notes))


def _archives(path: Path) -> dict[str, Path]:
    """Map the folder below the unpacked one to its archive; empty where there are other data."""
    if is_archive(path):
        return {"": path}
    files = [file for file in _visible(path) if is_archive(file)]
    if not files or any(_holds_data(file) for file in _visible(path)):
        return {}
    splits = {usual_split(file.name.split(".")[0]): file for file in files}
    if len(splits) == len(files) and splits.keys() <= SPLIT_NAMES:
        return splits
    if len(files) == 1:
        return {"": files[0]}
    names = ", ".join(file.name for file in files)
    raise DataError(
        f"data.path: {path}: holds several archives: {names}; call them after their splits "
        "(train.zip, test.zip), or name one of them as data.path"
    )


def _holds_data(path: Path) -> bool:
    if path.is_dir() or any(path.suffix.lower() in suffixes for suffixes in MEDIA.values()):
        return True
    return is_table(path) and path.suffix.lower() != LINES and not is_archive(path)


def _unwrapped(root: Path, requested: SplitNames) -> Path:
    """Return the folder of the tables, where folders around it hold nothing else."""
    inner = root
    while len(entries := _visible(inner)) == 1 and entries[0].is_dir():
        inner = entries[0]
        if usual_split(inner.name) in {*SPLIT_NAMES, *requested.names.values()}:
            return root
    # images and texts are counted from the folder itself, whose last folders are classes
    holds_tables = inner != root and not requested.names and find_tables(inner, requested)
    return inner if holds_tables and not find_tables(root, requested) else root


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
