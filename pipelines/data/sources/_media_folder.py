"""A folder of images or audio, `[<split>/]<class>/x.jpg` -> splits of paths and class labels.

Files stay where they are: a row holds the path, and a task decodes the file when it needs it.
`datasets` has builders for such folders, but its one for audio needs torchcodec.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data.sources import USUAL_NAMES

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

SUFFIXES = {
    "image": {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"},
    "audio": {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au"},
}
SPLIT_NAMES = frozenset(name for names in USUAL_NAMES.values() for name in names)


@dataclass(frozen=True)
class MediaFile:
    """One image or audio file, its split, and its class if a folder names one."""

    file: Path
    split: str
    label: str | None


def find(root: Path) -> dict[str, list[Path]]:
    """Find the files below `root`: {"image" and/or "audio": sorted paths}, without hidden ones."""
    files_by_kind: dict[str, list[Path]] = {kind: [] for kind in SUFFIXES}
    for file in sorted(root.rglob("*")):
        # __MACOSX: what a Mac's archiver adds, with a file for each real one
        if any(name.startswith((".", "__MACOSX")) for name in file.relative_to(root).parts):
            continue
        for kind, suffixes in SUFFIXES.items():
            if file.suffix.lower() in suffixes:
                files_by_kind[kind].append(file)
    return {kind: files for kind, files in files_by_kind.items() if files}


def load(root: Path, kind: str, files: list[Path]) -> "DatasetDict":
    """Make splits with a column named `kind` and, as a ClassLabel, `label`.

    Raises:
        DataError: a file is in no folder named after its class, or too deep.
    """
    from datasets import DatasetDict

    rows = list(_place(root, files))
    # of all splits together: class ids must mean the same everywhere
    classes = sorted({row.label for row in rows if row.label is not None})
    if not classes:
        raise _misplaced(files[0], root)
    splits = defaultdict(list)
    for row in rows:
        splits[row.split].append(row)
    return DatasetDict({name: _dataset(kind, rows, classes) for name, rows in splits.items()})


def _place(root: Path, files: list[Path]) -> Iterator[MediaFile]:
    """Split and class of every file, from the folders that it is in."""
    folders = [file.relative_to(root).parts[:-1] for file in files]
    # one file two folders deep means that the outer folders are splits, for all files
    with_splits = any(len(folder) == 2 for folder in folders)
    for file, folder in zip(files, folders, strict=True):
        if len(folder) == 2:
            yield MediaFile(file, split=folder[0], label=folder[1])
        elif len(folder) == 1 and (with_splits or folder[0] in SPLIT_NAMES):
            yield MediaFile(file, split=folder[0], label=None)
        elif len(folder) == 1:
            yield MediaFile(file, split="train", label=folder[0])
        else:
            raise _misplaced(file, root)


def _misplaced(file: Path, root: Path) -> DataError:
    return DataError(
        f"{file}: is in no folder named after its class; "
        f"expected <class>/{file.name} or <split>/<class>/{file.name} below {root}"
    )


def _dataset(kind: str, rows: list[MediaFile], classes: list[str]) -> "Dataset":
    """An Arrow table of paths; nothing is opened."""
    import pyarrow as pa
    from datasets import Audio, ClassLabel, Dataset, Features, Image
    from datasets.fingerprint import Hasher

    feature = Image() if kind == "image" else Audio(decode=False)
    features = Features({kind: feature, "label": ClassLabel(names=classes)})
    ids = {name: i for i, name in enumerate(classes)}
    media = [{"bytes": None, "path": str(row.file.absolute())} for row in rows]
    labels = [None if row.label is None else ids[row.label] for row in rows]
    columns = [pa.array(media, type=feature.pa_type), pa.array(labels, type=pa.int64())]
    versions = [(path["path"], *_version(row.file)) for path, row in zip(media, rows, strict=True)]
    return Dataset(
        pa.Table.from_arrays(columns, schema=features.arrow_schema),
        # caches are keyed by this; paths alone would hide that a file was replaced
        fingerprint=Hasher.hash([*versions, labels, classes]),
    )


def _version(file: Path) -> tuple[int, int]:
    """Size and time of change, which differ once a file was replaced."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns
