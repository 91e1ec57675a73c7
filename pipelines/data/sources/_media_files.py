"""The images and sounds below a folder, links included, and what there is beside them."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core import regular_files
from pipelines.core.errors import DataError

IMAGES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".jpx", ".png", ".apng", ".gif", ".webp"}
    | {".avif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".pcx"}
)
SOUNDS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"}
    | {".w64"}
)
SUFFIXES = {"image": IMAGES, "audio": SOUNDS}
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
# what lies beside images and sounds on purpose; all other suffixes might be examples
COMPANIONS = frozenset(
    {"", ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xml", ".yaml"}
    | {".yml", ".ini", ".html", ".pdf", ".py", ".log", ".db", ".lab", ".zip", ".tar", ".gz", ".tgz"}
    | {".sha256", ".md5"}
)


@dataclass
class MediaFiles:
    """The visible files below a folder, sorted.

    Attributes:
        by_kind: "image" and/or "audio" -> files that can be read.
        metadata: tables that say what is in the files beside them.
        unreadable: files of other kinds that might be examples.
        others: files that are obviously none, such as a README.
    """

    root: Path
    by_kind: dict[str, list[Path]] = field(default_factory=dict)
    metadata: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    @classmethod
    def find(cls, root: Path) -> "MediaFiles":
        """Look through `root`.

        Raises:
            DataError: a link leads back into its own folder, to another disk, or to nothing; or
                there is a pipe, a socket or a device.
        """
        result = cls(root)
        for file in sorted(_walk(root, root.stat().st_dev, ())):
            result.add(file)
        return result

    def add(self, file: Path) -> None:
        """Sort a file into its group.

        Raises:
            DataError: an image or a sound whose name no table can hold.
        """
        suffix = file.suffix.lower()
        kind = next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)
        if kind:
            check_name(file)
            self.by_kind.setdefault(kind, []).append(file)
        elif file.name in METADATA:
            self.metadata.append(file)
        else:
            (self.others if suffix in COMPANIONS else self.unreadable).append(file)

    def kind(self) -> str | None:
        """Return whether these are images or sounds; None where there are neither.

        Raises:
            DataError: both.
        """
        if len(self.by_kind) < 2:
            return next(iter(self.by_kind), None)
        counts = " and ".join(
            f"{len(files):,} {kind} files" for kind, files in self.by_kind.items()
        )
        stray = min(self.by_kind.values(), key=len)
        raise DataError(
            f"data.path: {self.root}: holds {counts}, such as {stray[0]}; expected one kind; move "
            "one of them elsewhere"
        )

    def note(self, kind: str) -> str | None:
        """State what is left out, by suffix."""
        suffixes = Counter(file.suffix.lower() for file in self.unreadable)
        if not suffixes:
            return None
        counts = ", ".join(f"{count:,} {suffix}" for suffix, count in suffixes.most_common())
        return f"left out, since they cannot be read as {kind}: {counts}"


def check_name(file: Path) -> None:
    """Refuse a path that is not UTF-8, as an archive of another system may leave it.

    Raises:
        DataError: names it.
    """
    shown = os.fsencode(file).decode("utf-8", "backslashreplace")
    if shown != str(file):
        raise DataError(f"{shown}: its name is not UTF-8, and no table can hold it; rename it")


def _walk(folder: Path, device: int, above: tuple[str, ...]) -> Iterator[Path]:
    """Yield the visible files below a folder; `above` are the real paths of those around it."""
    here = os.path.realpath(folder)
    if here in above:
        raise DataError(f"{folder}: a link that leads back to {here}, without end; remove it")
    with os.scandir(folder) as entries:
        for entry in entries:
            # __MACOSX: what a Mac's archiver adds, with a file for each real one
            if entry.name.startswith((".", "__MACOSX")):
                continue
            path = folder / entry.name
            if entry.is_symlink():
                _check_link(path, device)
            if entry.is_dir():
                yield from _walk(path, device, (*above, here))
            elif entry.is_file():
                yield path
            else:
                reason = regular_files.problem(path)
                raise DataError(f"{path}: {reason}, which no example can be; remove it")


def _check_link(link: Path, device: int) -> None:
    """Refuse what cannot be followed safely."""
    try:
        target = link.stat().st_dev
    except OSError as error:
        where = os.path.realpath(link)
        raise DataError(
            f"{link}: a link to {where}, which is not there; mend or remove it"
        ) from error
    if target != device:
        raise DataError(
            f"{link}: a link to another disk ({os.path.realpath(link)}); copy what it leads to, or "
            "name its folder as data.path"
        )
