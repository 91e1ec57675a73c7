"""What a path holds: tables of splits, images or sounds, or text files in class folders."""

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

from pipelines.core import regular_files
from pipelines.core.errors import DataError
from pipelines.data.sources._archives import is_archive
from pipelines.data.sources._media_files import MediaFiles
from pipelines.data.sources._media_layout import SPLIT_NAMES
from pipelines.data.sources._path_tables import find_tables_of_paths
from pipelines.data.sources._table_layout import find_lines, find_tables
from pipelines.data.sources._text_folder import TextFolder
from pipelines.data.sources._text_form import LINES
from pipelines.data.split_names import SplitNames

ADDRESS = re.compile(r"[A-Za-z0-9+.-]{2,}:/")  # a path keeps one slash of two
MAX_NAMES_SHOWN = 20  # of a folder's content, in an error message


@dataclass(frozen=True)
class Contents:
    """What was found below a path; one of the three.

    Attributes:
        tables: split -> its files.
        media: images or sounds.
        texts: text files, each an example.
    """

    tables: dict[str, list[Path]] = field(default_factory=dict)
    media: MediaFiles | None = None
    texts: TextFolder | None = None

    @property
    def files(self) -> list[Path]:
        """All files that are read, sorted."""
        media = [*chain(*self.media.by_kind.values()), *self.media.metadata] if self.media else []
        texts = self.texts.files if self.texts else []
        return sorted(chain(*self.tables.values(), media, texts))


def look(root: Path, requested: SplitNames) -> Contents:
    """Find out what is in a file or below a folder.

    Args:
        requested: names of splits in the recipe.

    Raises:
        DataError: no such path, nothing usable in it, or a file that is a pipe or a device.
    """
    if reason := regular_files.problem(root, or_folder=True):
        raise DataError(f"data.path: {root}: {reason}; expected a file or a folder")
    contents = _look(root, requested)
    texts = contents.texts.files if contents.texts else []
    for file in chain(*contents.tables.values(), texts):  # images and sounds were looked at
        if reason := regular_files.problem(file):
            raise DataError(f"data.path: {file}: {reason}; expected a file")
    return contents


def _look(root: Path, requested: SplitNames) -> Contents:
    if ADDRESS.match(str(root)):
        raise DataError(
            f"data.path: {root}: is an address; download what it names and give its path, or name "
            "a data set of the Hub: data.source=hub data.path=OWNER/NAME"
        )
    if not root.exists():
        raise DataError(f"data.path: {root}: no such file or folder; {_siblings(root)}")
    names = [*requested.names.values()]
    tables = find_tables(root, requested)
    # a folder with train.csv is a folder of tables, whatever else is in it
    if tables.keys() & {*SPLIT_NAMES, *names} or root.is_file():
        return Contents(tables)
    media = MediaFiles.find(root)
    if media.kind():
        by_path = find_tables_of_paths(media)
        return Contents(by_path) if by_path else Contents(media=media)
    if lines := find_lines(root):
        return Contents({**tables, **lines})
    texts = TextFolder.find(root, media.others)
    if texts:
        by_split = texts.splits(names)
        return Contents(by_split) if by_split else Contents(texts=texts)
    if not tables:
        raise DataError(
            f"data.path: {root}: nothing usable in it; expected <split>.parquet, csv, tsv, "
            f"jsonl, json or txt, or images, audio or texts in class folders; it holds: "
            f"{_content(root)}{_advice(media)}"
        )
    return Contents(tables)


def _advice(media: MediaFiles) -> str:
    """Say what to do with files that hide or resemble what can be read."""
    archives = [file for file in media.others if is_archive(file)]
    if archives:
        return f"; name {archives[0].relative_to(media.root)} as data.path, or unpack it"
    if any(file.suffix.lower() == LINES for file in media.others):
        return '; to read its text files line by line: data.splits.train="*.txt"'
    note = media.note("images or sounds")
    return f"; {note}" if note else ""


def _siblings(absent: Path) -> str:
    """List what is in the nearest folder that exists, with the most similar name first."""
    parent = next((folder for folder in absent.parents if folder.is_dir()), Path())
    missing = absent.relative_to(parent).parts[0]
    near = get_close_matches(missing, [path.name for path in parent.iterdir()], n=1)
    question = f"did you mean '{parent / near[0]}'? " if near else ""
    return f"{question}in {parent}: {_content(parent)}; for a Hub id use data.source=hub"


def _content(folder: Path) -> str:
    """List the names in a folder, the first MAX_NAMES_SHOWN of them."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    hidden = len(names) - MAX_NAMES_SHOWN
    more = f" and {hidden:,} more" if hidden > 0 else ""
    return (", ".join(names[:MAX_NAMES_SHOWN]) or "nothing") + more
