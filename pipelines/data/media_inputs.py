"""Files of images or sounds to predict, by themselves or below folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.data import media_paths
from pipelines.data.inputs import Inputs
from pipelines.data.sources._media_files import SUFFIXES, MediaFiles, check_name

if TYPE_CHECKING:
    from pipelines.data.dataset import Note

COLUMN = "file"


def are_files(paths: Sequence[Path], kind: str) -> bool:
    """Return whether these are images or sounds and folders of such, and no table of them.

    Args:
        kind: "image" or "audio".
    """
    return all(_holds(path, kind) for path in paths)


def read(paths: Sequence[Path], kind: str, note: "Note") -> Inputs:
    """List all files, those of a folder sorted; their paths are the column `file`.

    Raises:
        DataError: a link that leads nowhere, or a name that no table can hold.
    """
    from datasets import Dataset

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            folder = MediaFiles.find(path)
            files += folder.by_kind[kind]
            if left_out := folder.note(kind):
                note(f"{path}: {left_out}")
        else:
            check_name(path)
            files.append(path)
    table = Dataset.from_dict({COLUMN: [str(file) for file in files]})
    return Inputs(table, media_paths.with_files(table, kind, files).select_columns([kind]))


def _holds(path: Path, kind: str) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in SUFFIXES[kind]
    return kind in MediaFiles.find(path).by_kind
