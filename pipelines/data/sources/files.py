"""Files on disk: a table or text, a folder of them by split, or images, audio or texts by class."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from pipelines.core.errors import DataError
from pipelines.core.regular_files import real_path
from pipelines.data.sources import LoadedSplits, StreamedSource
from pipelines.data.sources import _media_folder as media_folder
from pipelines.data.sources._content import digest
from pipelines.data.sources._contents import Contents, look
from pipelines.data.sources._location import locate
from pipelines.data.sources._path_tables import file_names, named_files
from pipelines.data.sources._tables import TableReader
from pipelines.data.sources._text_form import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset, IterableDataset

COMMON_ENCODINGS = ("utf-8", "utf-16", "cp1252", "cp1251", "latin-1", "shift_jis", "gb18030")
MAX_LISTED_FILES = 100  # of images there are more, whose names would fill a lock


class Files(StreamedSource):
    """`path` is one of

    - a table (csv, tsv, jsonl, json or parquet), which becomes the split `train`;
    - plain text (txt, conll, iob or bio): an example in each line, or a word and its tag;
    - a folder of `<split>.csv`…, of shards such as `<split>-00000-of-00002.parquet`, of a folder
      for each split, or a clone of a Hub repository, whose tables are below `data`;
    - a folder of any tables, which `splits` names: {train: learn.csv, test: [b.csv, "c-*.csv"]};
    - a folder that `save_to_disk` has written;
    - a folder of images or audio, `<split>/<class>/x.jpg` or `<class>/x.jpg`, or with a
      metadata.csv that names each in the column `file_name`, or beside a table that names them;
    - an archive of these (zip, tar, tar.gz…), or a folder of one for each split;
    - a folder of text files, `<split>/<class>/x.txt` or `<class>/x.txt`, each an example.
    """

    path: str = Field(
        ".", description="a file or a folder; left out: splits names files in the working directory"
    )
    separator: str | None = Field(
        None, description="the character between the columns of csv and tsv; null: detected"
    )
    encoding: str | None = Field(
        None, description="of csv, tsv, json and txt, such as utf-8 or cp1251; null: detected"
    )
    text_format: Form | None = Field(
        None,
        description="what a line of txt holds: an example (lines), or a word and its tag (conll); "
        "null: detected",
    )

    @model_validator(mode="after")
    def _names_data(self) -> "Files":
        if "path" not in self.model_fields_set and "train" not in self.splits.names:
            raise ValueError(
                "missing key 'path', a file or a folder; or name files: "
                "data.splits: {train: a.csv, test: [b.csv, c.csv]}"
            )
        return self

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
            # base64 is none of text, and idna none of whole texts
            b"a.".decode(value or "utf-8", errors="ignore")
            return value and codecs.lookup(value).name
        except (LookupError, UnicodeError):
            known = ", ".join(COMMON_ENCODINGS)
            raise ValueError(f"no encoding {value!r}; known are {known} and more") from None

    def load(self) -> "Mapping[str, Dataset | IterableDataset]":
        """Load tables through a cache keyed by content; of images and audio, paths alone are read.

        Raises:
            DataError: no such path, nothing usable in it, or a file that cannot be read.
        """
        location = locate(self._path, self.splits, read_again=True)
        loaded = self._load()
        loaded.notes = (*location.notes, *loaded.notes)
        return loaded

    def _load(self) -> LoadedSplits:
        contents = self._look()
        media, texts = contents.media, contents.texts
        kind = media.kind() if media else "text" if texts else None
        if kind and self.streaming:
            raise DataError(
                f"data.streaming: {self._root}: {kind} files are read one by one as they are "
                "needed, so there is nothing to stream; remove data.streaming"
            )
        if media and kind:
            return media_folder.load(media, kind, self.splits.names.values(), self._read_table)
        if texts:
            return texts.load(self.splits.names.values(), self.encoding)
        return self._reader.read(contents.tables)

    def identity(self) -> dict[str, Any]:
        """Give the last name of the path and one hash over names and content of all files.

        They include the images and sounds that the rows of a table name. Up to MAX_LISTED_FILES
        have a hash each, too, so that one that has changed can be named.

        The hash is that of the lines which `sha256sum` prints for the files, so it does not depend
        on where they are. A streamed file, which is never read to its end, counts by its size.
        """
        contents = self._look()
        streamed: set[Path] = set()
        for split, split_files in contents.tables.items():
            streamed.update(split_files if self._is_streamed(split) else ())
        files = sorted({*contents.files, *self._files_in_rows(contents)})
        # hashing releases the interpreter's lock, so threads use all cores
        with ThreadPoolExecutor() as pool:
            digests = pool.map(
                lambda file: _size(file) if file in streamed else digest(file), files
            )
        inside = all(file.is_relative_to(self.folder) for file in files)
        # lists of files may lead elsewhere
        base = self.folder if inside else Path(os.path.commonpath([f.absolute() for f in files]))
        names = [
            (file if inside else file.absolute()).relative_to(base).as_posix() for file in files
        ]
        by_name = dict(zip(names, digests, strict=True))
        lines = (f"{hashed}  {name}\n" for name, hashed in by_name.items())
        total = hashlib.sha256("".join(lines).encode()).hexdigest()
        identity = {"source": self.source, "path": real_path(self._path).name, "sha256": total}
        return {**identity, "files": by_name} if len(by_name) <= MAX_LISTED_FILES else identity

    @property
    def folder(self) -> Path:
        """The folder of the table or tables."""
        return self._root if self._root.is_dir() else self._root.parent

    def _read_table(self, file: Path) -> "Dataset":
        dataset: Dataset = self._reader.read({"": [file]})[""]
        return dataset

    def _files_in_rows(self, contents: Contents) -> Iterator[Path]:
        """Yield the images and sounds that the rows of tables name."""
        for split, tables in contents.tables.items():
            for table in tables:
                if not self._is_streamed(split) and file_names(table):
                    yield from named_files(self._read_table(table), self.folder, split)

    def _is_streamed(self, split: str) -> bool:
        return split == self._streamed

    @property
    def _reader(self) -> TableReader:
        return TableReader(self.separator, self.encoding, self._streamed, self.text_format)

    @property
    def _streamed(self) -> str | None:
        return self.splits.names.get("train", "train") if self.streaming else None

    @property
    def _path(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _root(self) -> Path:
        return locate(self._path, self.splits).root

    def _look(self) -> Contents:
        return look(self._root, self.splits)


def _size(file: Path) -> str:
    return f"{file.stat().st_size} bytes"
