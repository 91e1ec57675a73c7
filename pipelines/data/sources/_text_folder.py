"""A folder of text files, each an example, in folders named after their classes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.natural_order import natural
from pipelines.data.sources import LoadedSplits
from pipelines.data.sources._content import cached, cached_table, read_digests
from pipelines.data.sources._encoding import NUM_SAMPLE_BYTES, detect_encoding
from pipelines.data.sources._media_layout import Layout, MediaFile
from pipelines.data.sources._plain_text import decode

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

SUFFIX = ".txt"
MIN_SHARE = 0.1  # of all files: those of fewer folders above them are notes and lists
UNLABELED = frozenset({"unsup", "unlabeled"})  # folders of texts without a class, as in IMDB
BATCH_FILES = 1000


@dataclass(frozen=True)
class TextFolder:
    """Text files below a folder.

    Attributes:
        files: those that are examples.
        notes: what is left out.
    """

    root: Path
    files: list[Path]
    notes: tuple[str, ...] = ()

    @classmethod
    def find(cls, root: Path, others: Iterable[Path]) -> "TextFolder | None":
        """Look for text files in folders; None where there are none.

        Args:
            others: all visible files below `root` that are neither images nor sounds.
        """
        depths = {
            file: len(file.relative_to(root).parts) - 1
            for file in others
            if file.suffix.lower() == SUFFIX
        }
        counts = Counter(depth for depth in depths.values() if depth)
        usual = [depth for depth, n in counts.items() if n >= MIN_SHARE * counts.total()]
        if not usual:
            return None
        inside = [file for file, depth in depths.items() if depth >= min(usual)]
        files = [file for file in inside if not UNLABELED & {*file.relative_to(root).parts}]
        reasons = {
            "outside of the folders of the others": len(depths) - len(inside),
            "without a class": len(inside) - len(files),
        }
        notes = [f"left out, {reason}: {n:,} text files" for reason, n in reasons.items() if n]
        return cls(root, files, tuple(notes))

    def splits(self, requested: Iterable[str]) -> dict[str, list[Path]]:
        """Map each split to its files, where folders name splits alone and no classes."""
        layout = Layout(self.root, self.files, requested)
        places = [layout.place(file) for file in self.files]
        if any(place.label is not None for place in places):
            return {}
        splits: dict[str, list[Path]] = {}
        for place in places:
            splits.setdefault(place.split, []).append(place.file)
        return splits

    def load(self, requested: Iterable[str], encoding: str | None) -> LoadedSplits:
        """Make splits with the columns `text` and `label`.

        Args:
            requested: names of splits in the recipe, which folders may have.
            encoding: of all files; None to detect that of each.

        Raises:
            DataError: a file cannot be decoded.
        """
        layout = Layout(self.root, self.files, requested)
        places = [layout.place(file) for file in self.files]
        # of all splits together: class ids must mean the same everywhere
        labels = {place.label for place in places if place.label is not None}
        classes = sorted(labels, key=natural)
        digests = read_digests(self.files)
        encodings = _encodings(digests, encoding)
        by_split: dict[str, list[MediaFile]] = {}
        for place in places:
            by_split.setdefault(place.split, []).append(place)
        splits = {
            split: _read(rows, classes, digests, encodings) for split, rows in by_split.items()
        }
        unusual = Counter(name for name in encodings.values() if not name.startswith("utf-8"))
        notes = [
            "each text file is an example, and its folder the class",
            *self.notes,
            *layout.notes,
            *(f"text in {name} (data.encoding): {n:,} files" for name, n in unusual.items()),
        ]
        return LoadedSplits(splits, notes)


def _encodings(digests: dict[Path, str], encoding: str | None) -> dict[Path, str]:
    """Find out the encoding of each file, and remember it for their content."""

    def write(draft: Path) -> None:
        """Look at all files."""
        names = [detect_encoding(file, _head(file), encoding) for file in digests]
        draft.write_text(json.dumps(names), encoding="utf-8")

    file = cached("encodings.json", "text folder 1", encoding, [*digests.values()], write=write)
    return dict(zip(digests, json.loads(file.read_text(encoding="utf-8")), strict=True))


def _head(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(NUM_SAMPLE_BYTES)


def _read(
    rows: list[MediaFile], classes: list[str], digests: dict[Path, str], encodings: dict[Path, str]
) -> "Dataset":
    from datasets import ClassLabel, Features, Value

    schema = Features({"text": Value("string"), "label": ClassLabel(names=classes)}).arrow_schema
    content = [(digests[row.file], encodings[row.file], row.label) for row in rows]
    batches = _batches(rows, classes, encodings, schema)
    return cached_table("text folder 1", classes, content, schema=schema, batches=batches)


def _batches(
    rows: list[MediaFile], classes: list[str], encodings: dict[Path, str], schema: "pa.Schema"
) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    ids = {name: i for i, name in enumerate(classes)}
    for start in range(0, len(rows), BATCH_FILES):
        batch = rows[start : start + BATCH_FILES]
        texts = [decode(row.file, encodings[row.file]).rstrip("\n") for row in batch]
        labels = [None if row.label is None else ids[row.label] for row in batch]
        yield pa.RecordBatch.from_arrays(
            [pa.array(texts), pa.array(labels, pa.int64())], schema=schema
        )
