"""Files on disk: one table, a folder of tables by split, or a folder of images or sounds."""

import hashlib
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.core.errors import DataError
from pipelines.data.sources import StreamedSource
from pipelines.data.sources import _media_folder as media_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datasets import Dataset, IterableDataset

EMPTY_ONLY: dict[str, Any] = {"keep_default_na": False, "na_values": [""]}  # "NA" is a word
READERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".parquet": ("parquet", {}),
    ".csv": ("csv", EMPTY_ONLY),
    # in tab-separated text a quote is a character: as in GLUE, and as IANA registered it
    ".tsv": ("csv", {**EMPTY_ONLY, "sep": "\t", "quoting": 3}),
    ".jsonl": ("json", {}),
    ".json": ("json", {}),
}
NOT_SPLITS = {"dataset_info", "dataset_infos", "dataset_dict", "metadata", "state"}
SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-(?P<num_shards>\d{5})")


class Files(StreamedSource):
    """`path` is one of

    - a table (csv, tsv, jsonl, json or parquet), which becomes the split `train`;
    - a folder of `<split>.csv`…, or of shards such as `<split>-00000-of-00002.parquet`;
    - a folder of images or sounds, `<split>/<class>/x.jpg` or `<class>/x.jpg`.
    """

    path: str = Field(description="a file or a folder")

    def load(self) -> "Mapping[str, Dataset | IterableDataset]":
        """Tables go through the cache of `datasets`; of images and sounds only paths are read.

        Raises:
            DataError: no such path, nothing usable in it, or a file that cannot be read.
        """
        tables, media = self._find()
        if media:
            ((kind, files),) = media.items()
            if self.streaming:
                raise DataError(
                    f"data.streaming: {self._root}: {kind} files are read when they are wanted, "
                    "and never all at once: nothing to stream"
                )
            return media_folder.load(self._root, kind, files)
        return {
            split: _stream(files) if self._flows(split) else _read(files)
            for split, files in tables.items()
        }

    def identity(self) -> dict[str, Any]:
        """The path's last name and one hash over names and bytes of all files that are read.

        The hash is what `sha256sum` prints for the files, hashed: the same wherever they lie. A
        streamed file, which nobody reads to its end, is told by its size instead.
        """
        tables, media = self._find()
        streamed = {file for split, files in tables.items() if self._flows(split) for file in files}
        files = sorted(file for group in (*tables.values(), *media.values()) for file in group)
        base = self._root if self._root.is_dir() else self._root.parent
        with ThreadPoolExecutor() as pool:
            digests = pool.map(
                lambda file: _size(file) if file in streamed else _sha256(file), files
            )
        lines = (
            f"{digest}  {file.relative_to(base).as_posix()}\n"
            for digest, file in zip(digests, files, strict=True)
        )
        total = hashlib.sha256("".join(lines).encode()).hexdigest()
        return {"source": self.source, "path": self._root.resolve().name, "sha256": total}

    def _flows(self, split: str) -> bool:
        return self.streaming and split == (self.splits.train or "train")

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser()

    def _find(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """Tables by split, or else images or sounds by kind: one of the two is empty."""
        root = self._root
        if not root.exists():
            raise DataError(f"data.path: {root}: no such file or folder; {_siblings(root)}")
        tables = _tables(root)
        if tables.keys() & media_folder.SPLIT_NAMES or root.is_file():
            return tables, {}
        media = media_folder.find(root)
        if len(media) > 1:
            told = " and ".join(f"{len(files):,} {kind} files" for kind, files in media.items())
            raise DataError(f"data.path: {root}: holds {told}; expected one kind")
        if not tables and not media:
            raise DataError(
                f"data.path: {root}: nothing usable in it; expected <split>.parquet, csv, tsv, "
                f"jsonl or json, or images or sounds in class folders; there are: {_content(root)}"
            )
        return ({}, media) if media else (tables, {})


def _tables(root: Path) -> dict[str, list[Path]]:
    """split -> its file or shards."""
    if root.is_file():
        if root.suffix.lower() not in READERS:
            known = ", ".join(READERS)
            raise DataError(f"data.path: {root}: not a table that can be read; known: {known}")
        return {"train": [root]}
    found = defaultdict(list)
    for file in sorted(root.iterdir()):
        shard = SHARD.fullmatch(file.stem)
        split = shard["split"] if shard else file.stem
        if file.suffix.lower() in READERS and not split.startswith(".") and split not in NOT_SPLITS:
            found[split].append(file)
    for split, files in found.items():
        _one_version(split, files)
    return dict(found)


def _one_version(split: str, files: list[Path]) -> None:
    """Refuse two versions of a split (`train.csv`, `train.parquet`) and shards that are missing."""
    totals = {shard["num_shards"] for file in files if (shard := SHARD.fullmatch(file.stem))}
    expected = int(totals.pop()) if len(totals) == 1 else 1
    if len(files) != expected or totals:
        names = ", ".join(file.name for file in files)
        one = "one file" if expected == 1 else f"{expected} shards"
        raise DataError(f"{files[0].parent}: split '{split}': expected {one}; found {names}")


def _read(files: list[Path]) -> "Dataset":
    """One split. Each file is read by itself, so that an error can name it."""
    from datasets import concatenate_datasets

    parts = {file: part for file in files if len(part := _read_one(file))}
    for file, part in parts.items():
        first = next(iter(parts))
        if part.features != parts[first].features:
            raise DataError(f"{file}: other columns or types than in {first.name}")
    return concatenate_datasets(list(parts.values())) if parts else _read_one(files[0])


def _read_one(file: Path) -> "Dataset":
    from datasets import Dataset

    kind, options = READERS[file.suffix.lower()]
    read = getattr(Dataset, f"from_{kind}")  # load_dataset would call home, even for a local file
    empty = Dataset.from_dict({})
    try:
        return read(str(file.absolute()), **options) if file.stat().st_size else empty
    except Exception as error:  # pandas, pyarrow and the operating system each have their own
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        reason = str(cause).strip().partition("\n")[0]
        if "corresponds to no data" in reason:  # a header and no rows
            return empty
        raise DataError(f"{file}: cannot be read as {kind}: {reason}") from error


def _stream(files: list[Path]) -> "IterableDataset":
    """One split, read from the first file to the last as it is iterated."""
    from datasets import IterableDataset

    (suffix,) = {file.suffix.lower() for file in files}
    kind, options = READERS[suffix]
    read = getattr(IterableDataset, f"from_{kind}")
    return read([str(file.absolute()) for file in files], **options)


def _size(file: Path) -> str:
    return f"{file.stat().st_size} bytes"


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _siblings(absent: Path) -> str:
    """What lies where the path breaks off, the nearest name first."""
    parent = next((folder for folder in absent.parents if folder.is_dir()), Path())
    wanted = absent.relative_to(parent).parts[0]
    near = get_close_matches(wanted, [path.name for path in parent.iterdir()], n=1)
    question = f"did you mean '{parent / near[0]}'? " if near else ""
    return f"{question}in {parent}: {_content(parent)}; for a Hub id use data.source=hub"


def _content(folder: Path, most: int = 20) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more
