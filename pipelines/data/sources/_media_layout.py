"""Split and class of images or sounds, from the names of the folders that they are in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import DataError
from pipelines.data.split_names import USUAL_NAMES

SPLIT_NAMES = frozenset(name for names in USUAL_NAMES.values() for name in names)
# other names of folders -> the usual one
ALIASES = {"training": "train", "testing": "test", "validating": "validation"}
# what Kaggle's folders add to the name of a split: training_set, seg_train, test_images
ADDED_WORDS = re.compile(r"^seg[_-]|[_-](set|images)$")


def usual_split(name: str) -> str:
    """Return the usual name of a split for any of its spellings: `Train`, `training_set` are train.

    What names no split stays as it is.
    """
    lower = ADDED_WORDS.sub("", name.lower())
    usual = ALIASES.get(lower, lower)
    return usual if usual in SPLIT_NAMES else name


@dataclass(frozen=True)
class MediaFile:
    """One image or audio file, its split, and its class if a folder names one."""

    file: Path
    split: str
    label: str | None


class Layout:
    """How the folders below `root` name splits and classes.

        [wrapping folders/][<split>/]<class>/[anything/]x.jpg    or    <class>/<split>/x.jpg

    Attributes:
        notes: what was inferred, one line each.
    """

    def __init__(self, root: Path, files: list[Path], requested: Iterable[str] = ()) -> None:
        self.root, self.notes, self._requested = root, list[str](), frozenset(requested)
        folders = [file.relative_to(root).parts[:-1] for file in files]
        self._num_wrapping = self._count_wrapping(folders)
        first_two = [folder[self._num_wrapping :][:2] for folder in folders]
        # the vehicle `train/train` beside `train/car` is a class
        varied = {pair[0] for pair in first_two if pair and pair != pair[:1] * 2}
        self._repeated = frozenset(pair[0] for pair in first_two if pair) - varied
        inner = [self._inner(folder) for folder in folders]
        self._with_splits = any(folder and self._is_split(folder[0]) for folder in inner)
        self._splits_inside = not self._with_splits and all(
            len(folder) > 1 and self._is_split(folder[1]) for folder in inner
        )
        deepest = max((folder for folder in inner), key=len, default=())
        if len(deepest) > 1 + (self._with_splits or self._splits_inside):
            label = deepest[self._with_splits]
            self.notes.append(
                f"folders inside class folders, such as {'/'.join(deepest)}, count as the class "
                f"above them: '{label}'"
            )

    def place(self, file: Path) -> MediaFile:
        """Return the split and the class of a file.

        Raises:
            DataError: it is in no folder that names a class.
        """
        folders = self._inner(file.relative_to(self.root).parts[:-1])
        if not folders:
            raise self.misplaced(file)
        if self._splits_inside and len(folders) > 1:
            return MediaFile(file, self._split(folders[1]), folders[0])
        if not self._with_splits:
            return MediaFile(file, "train", folders[0])
        # a test split often comes without classes
        return MediaFile(file, self._split(folders[0]), folders[1] if len(folders) > 1 else None)

    def split(self, folder: Path) -> str:
        """Return the split that a folder belongs to, whatever class: `train` outside of all."""
        names = folder.relative_to(self.root).parts[self._num_wrapping :]
        return self._split(names[0]) if names and self._is_split(names[0]) else "train"

    def misplaced(self, file: Path) -> DataError:
        """Make the error of a file in no folder that names a class."""
        return DataError(
            f"{file}: is in no folder named after its class; expected <class>/{file.name} or "
            f"<split>/<class>/{file.name} below {self.root}, or a metadata.csv with the columns "
            "file_name and label"
        )

    def _count_wrapping(self, folders: list[tuple[str, ...]]) -> int:
        """Count the folders around everything that name neither a split nor the only class."""
        count, shared = 0, min(map(len, folders), default=0)
        while (
            count < shared - 1
            and len({folder[count] for folder in folders}) == 1
            and not self._is_split(folders[0][count])
        ):
            count += 1
        if count:
            self.notes.append(
                f"read from {self.root.joinpath(*folders[0][:count])}, the only folder"
            )
        return count

    def _inner(self, folder: tuple[str, ...]) -> tuple[str, ...]:
        """Leave out wrapping folders, and a repeated one: `seg_train/seg_train` is one split."""
        inner = folder[self._num_wrapping :]
        return inner[1:] if inner and inner[0] in self._repeated else inner

    def _is_split(self, name: str) -> bool:
        return name in self._requested or self._split(name) in SPLIT_NAMES

    def _split(self, name: str) -> str:
        if name in self._requested:  # the recipe means the folder as it is written
            return name
        return usual_split(name)
