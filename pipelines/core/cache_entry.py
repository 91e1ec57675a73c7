"""A file or a folder of the cache: what is one, and how it is removed."""

import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SUFFIX = ".safetensors"
ABOUT = "about"  # the metadata key of the description
KEY = re.compile(r"[0-9a-f]{16,32}")
# the draft of a killed run ends in the number of its process
FILE = re.compile(rf"{KEY.pattern}(\{SUFFIX}|\.\d+)")
TABLES = "tables"
USED = "used"  # a file in the folder of a table; its time is that of the last use


@dataclass(frozen=True)
class Entry:
    """A cached file or folder.

    Attributes:
        used: the time of its last use, in seconds since 1970.
    """

    path: Path
    num_bytes: int
    used: float
    is_table: bool = False

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """Return the entry at `path`; None if something else is there, or nothing any more."""
        stats = []
        for file in _files(path):
            with suppress(OSError):  # another run may have just removed it
                stats.append(file.stat())
        if not stats:
            return None
        return cls(path, sum(s.st_size for s in stats), max(s.st_mtime for s in stats))

    @classmethod
    def of_table(cls, path: Path, unused_since: float) -> Self | None:
        """Return the folder of a table; None if something else is there, or it was used since."""
        if path.is_symlink() or not KEY.fullmatch(path.name):
            return None
        try:
            used = (path / USED).stat().st_mtime  # none has it but ours
            if used > unused_since:
                return None
            sizes = [file.lstat().st_size for file in path.rglob("*")]
        except OSError:  # another run may have just removed it
            return None
        return cls(path, sum(sizes), used, is_table=True)

    @property
    def kind(self) -> str:
        """The kind: `features`."""
        return TABLES if self.is_table else self.path.parent.name

    @property
    def name(self) -> str:
        """The kind and the key: `features/8f3c…`."""
        return f"{self.kind}/{self.path.name.removesuffix(SUFFIX)}"

    @property
    def about(self) -> str:
        """The description that was saved with it."""
        if self.is_table:
            return "a table or an archive, and what was encoded of it"
        from safetensors import SafetensorError, safe_open

        file = next(self.path.glob(f"*{SUFFIX}"), self.path) if self.path.is_dir() else self.path
        try:
            with safe_open(file, "numpy") as opened:
                return (opened.metadata() or {}).get(ABOUT, "")
        except (OSError, SafetensorError):
            return "damaged"

    @property
    def age(self) -> str:
        """How long ago it was used, in the largest unit that fits."""
        seconds = max(0.0, time.time() - self.used)
        units = (("d", 86400), ("h", 3600), ("min", 60))
        return next((f"{seconds / n:.0f} {unit}" for unit, n in units if seconds >= n), "now")

    def remove(self) -> None:
        """Delete it; a run that has mapped it into memory can still read it."""
        if self.is_table:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        # another run may be writing or removing it at this moment; rmdir spares what is not ours
        with suppress(OSError):
            for file in _files(self.path):
                file.unlink(missing_ok=True)
            if self.path.is_dir():
                self.path.rmdir()


def _files(path: Path) -> list[Path]:
    """List the files of an entry; none if `path` is anything else, which is never touched."""
    if path.is_symlink():
        return []
    if not path.is_dir():
        return [path] if FILE.fullmatch(path.name) and path.is_file() else []
    try:
        files = [*path.iterdir()] if KEY.fullmatch(path.name) else []
    except OSError:  # another run may have just removed it
        return []
    # one file of another kind, and the folder is no entry of ours
    return files if all(FILE.fullmatch(f.name) and not f.is_dir() for f in files) else []
