"""A folder of images or audio -> splits of paths and labels, from its folders or its metadata.

Files stay where they are: a row holds the path, and a task decodes the file when it needs it.
`datasets` has builders for such folders, but its one for audio needs torchcodec.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.core.natural_order import natural
from pipelines.data import media_paths
from pipelines.data.sources import LoadedSplits
from pipelines.data.sources import _media_metadata as media_metadata
from pipelines.data.sources._media_files import MediaFiles
from pipelines.data.sources._media_layout import Layout, MediaFile

if TYPE_CHECKING:
    from datasets import Dataset

ReadTable = Callable[[Path], "Dataset"]


def load(folder: MediaFiles, kind: str, requested: Iterable[str], read: ReadTable) -> LoadedSplits:
    """Make splits with a column named `kind` and `label`, or with the columns of the metadata.

    Args:
        requested: names of splits in the recipe, which folders may have.
        read: reads a table of metadata.

    Raises:
        DataError: a file is in no folder named after its class, or a class has no file that can be
            read; metadata that do not fit.
    """
    files = folder.by_kind[kind]
    layout = Layout(folder.root, files, requested)
    notes = [note for note in (folder.note(kind),) if note]
    if folder.metadata:
        splits = media_metadata.load(folder.metadata, kind, files, layout, read)
        return LoadedSplits(splits.datasets, [*notes, *splits.notes])
    rows = [layout.place(file) for file in files]
    # of all splits together: class ids must mean the same everywhere
    classes = sorted({row.label for row in rows if row.label is not None}, key=natural)
    if not classes:
        raise layout.misplaced(files[0])
    _check_lost(folder, kind, layout, classes)
    splits_of = defaultdict(list)
    for row in rows:
        splits_of[row.split].append(row)
    datasets = {name: _dataset(kind, rows, classes) for name, rows in splits_of.items()}
    return LoadedSplits(
        datasets, [*notes, *layout.notes, *_without_any(folder, kind, layout, classes)]
    )


def _check_lost(folder: MediaFiles, kind: str, layout: Layout, classes: list[str]) -> None:
    """Refuse a class of which no file can be read: it would be missing without a word."""
    for label, files in _by_other_label(folder.unreadable, folder.root, layout, classes).items():
        raise DataError(
            f"class '{label}': none of its {len(files):,} files can be read as {kind}, such as "
            f"{files[0]}; convert them, or remove the folder"
        )


def _without_any(
    folder: MediaFiles, kind: str, layout: Layout, classes: list[str]
) -> Iterator[str]:
    """Name folders in which there are only texts and the like, or files without a suffix."""
    for label, files in _by_other_label(folder.others, folder.root, layout, classes).items():
        suffixes = Counter(file.suffix.lower() or "without a suffix" for file in files)
        counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
        yield f"folder '{label}' holds no {kind} ({counts}), so it is no class"


def _by_other_label(
    files: list[Path], root: Path, layout: Layout, classes: list[str]
) -> dict[str, list[Path]]:
    """Group files by the folders that would be their class, and are none."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        # a file in no class folder has none
        if len(file.relative_to(root).parts) > 1:
            with suppress(DataError):  # outside of the only folder
                label = layout.place(file).label
                if label is not None and label not in classes:
                    groups[label].append(file)
    return groups


def _dataset(kind: str, rows: list[MediaFile], classes: list[str]) -> "Dataset":
    """Make a data set of paths and labels; nothing is opened."""
    import pyarrow as pa
    from datasets import ClassLabel, Dataset, Features
    from datasets.fingerprint import Hasher

    ids = {name: i for i, name in enumerate(classes)}
    labels = [None if row.label is None else ids[row.label] for row in rows]
    features = Features({"label": ClassLabel(names=classes)})
    table = pa.table([pa.array(labels, type=pa.int64())], schema=features.arrow_schema)
    labeled = Dataset(table, fingerprint=Hasher.hash([labels, classes]))
    return media_paths.with_files(labeled, kind, [row.file for row in rows])
