"""Files on disk: one table, a folder of tables by split, or a folder of images or audio."""

import codecs
import hashlib
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from pipelines.core.errors import DataError
from pipelines.data.sources import StreamedSource
from pipelines.data.sources import _media_folder as media_folder
from pipelines.data.sources._content import digest
from pipelines.data.sources._media_files import MediaFiles
from pipelines.data.sources._media_layout import SPLIT_NAMES
from pipelines.data.sources._table_layout import find_tables
from pipelines.data.sources._tables import TableReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset, IterableDataset

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
COMMON_ENCODINGS = ("utf-8", "utf-16", "cp1252", "cp1251", "latin-1", "shift_jis", "gb18030")
MAX_NAMES_SHOWN = 20  # of a folder's content, in an error message


class Files(StreamedSource):
    """`path` is one of

    - a table (csv, tsv, jsonl, json or parquet), which becomes the split `train`;
    - a folder of `<split>.csv`…, of shards such as `<split>-00000-of-00002.parquet`, of a folder
      for each split, or a clone of a Hub repository, whose tables are below `data`;
    - a folder of any tables, which `splits` names: {train: learn.csv, test: "exam-*.csv"};
    - a folder that `save_to_disk` has written;
    - a folder of images or audio, `<split>/<class>/x.jpg` or `<class>/x.jpg`, or with a
      metadata.csv that names each in the column `file_name`.
    """

    path: str = Field(description="a file or a folder")
    separator: str | None = Field(
        None, description="the character between the columns of csv and tsv; null: detected"
    )
    encoding: str | None = Field(
        None, description="of csv and tsv, such as utf-8 or cp1251; null: detected"
    )

    @field_validator("separator")
    @classmethod
    def _is_one_character(cls, value: str | None) -> str | None:
        # on a command line, a tab is hard to write
        value = {"tab": "\t", r"\t": "\t"}.get(value or "", value)
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise ValueError(f"one character, such as ; or | or tab; got {value!r}")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            return value and codecs.lookup(value).name
        except LookupError:
            known = ", ".join(COMMON_ENCODINGS)
            raise ValueError(f"no encoding {value!r}; known are {known} and more") from None

    def load(self) -> "Mapping[str, Dataset | IterableDataset]":
        """Load tables through a cache keyed by content; of images and audio, paths alone are read.

        Raises:
            DataError: no such path, nothing usable in it, or a file that cannot be read.
        """
        tables, media = self._find()
        if media and (kind := media.kind()):
            if self.streaming:
                raise DataError(
                    f"data.streaming: {self._root}: {kind} files are read one by one as they are "
                    "needed, so there is nothing to stream; remove data.streaming"
                )
            requested = [name for name in dict(self.splits).values() if isinstance(name, str)]
            return media_folder.load(media, kind, requested, self._read_table)
        streamed = next(filter(self._is_streamed, tables), None)
        return TableReader(self.separator, self.encoding, streamed).read(tables)

    def identity(self) -> dict[str, Any]:
        """Give the last name of the path and one hash over names and content of all files.

        The hash is that of the lines which `sha256sum` prints for the files, so it does not depend
        on where they are. A streamed file, which is never read to its end, counts by its size.
        """
        tables, media = self._find()
        streamed: set[Path] = set()
        for split, split_files in tables.items():
            streamed.update(split_files if self._is_streamed(split) else ())
        media_files = [*chain(*media.by_kind.values()), *media.metadata] if media else []
        files = sorted(chain(*tables.values(), media_files))
        # hashing releases the interpreter's lock, so threads use all cores
        with ThreadPoolExecutor() as pool:
            digests = pool.map(
                lambda file: _size(file) if file in streamed else digest(file), files
            )
        lines = (
            f"{hashed}  {file.relative_to(self.folder).as_posix()}\n"
            for hashed, file in zip(digests, files, strict=True)
        )
        total = hashlib.sha256("".join(lines).encode()).hexdigest()
        return {"source": self.source, "path": self._root.resolve().name, "sha256": total}

    @property
    def folder(self) -> Path:
        """The folder of the table or tables."""
        return self._root if self._root.is_dir() else self._root.parent

    def _read_table(self, file: Path) -> "Dataset":
        dataset: Dataset = TableReader(self.separator, self.encoding).read({"": [file]})[""]
        return dataset

    def _is_streamed(self, split: str) -> bool:
        return self.streaming and split == (self.splits.train or "train")

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _patterns(self) -> list[str]:
        return [name for _, name in self.splits if isinstance(name, str)]

    def _find(self) -> tuple[dict[str, list[Path]], MediaFiles | None]:
        """(split -> table files, images or sounds), of which one is empty."""
        root = self._root
        if not root.exists():
            raise DataError(f"data.path: {root}: no such file or folder; {_siblings(root)}")
        tables = find_tables(root, self._patterns)
        # a folder with train.csv is a folder of tables, whatever else is in it
        if tables.keys() & {*SPLIT_NAMES, *self._patterns} or root.is_file():
            return tables, None
        media = MediaFiles.find(root)
        if media.kind():
            return {}, media
        if not tables:
            raise DataError(
                f"data.path: {root}: nothing usable in it; expected <split>.parquet, csv, tsv, "
                f"jsonl or json, or images or audio in class folders; it holds: {_content(root)}"
                f"{_advice(media)}"
            )
        return tables, None


def _advice(media: MediaFiles) -> str:
    """Say what to do with files that hide or resemble what can be read."""
    archives = [file for file in media.others if file.suffix.lower() in ARCHIVES]
    if archives:
        return f"; unpack {archives[0].name} first"
    note = media.note("images or sounds")
    return f"; {note}" if note else ""


def _size(file: Path) -> str:
    return f"{file.stat().st_size} bytes"


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
