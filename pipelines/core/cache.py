"""What was computed once, on disk: found again by all that it follows from.

Everything lies below GRAFT_CACHE, by default ~/.cache/graft, as safetensors, which are mapped into
memory. An entry is a file, or a folder of them:

    encoded/KEY.safetensors     rows of model inputs
    features/KEY/*.safetensors  what a model computed of rows, as far as it came (chunks.py)

Where more than GRAFT_CACHE_GB (20) are kept, the entries go first that were used the longest time
ago. `graft cache` lists and removes them.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import RunError, suggest

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, "torch.Tensor"]

SUFFIX = ".safetensors"
ABOUT = "about"


@dataclass(frozen=True)
class Entry:
    """Something that is kept.

    Attributes:
        used: when it was last used, in seconds since 1970.
    """

    path: Path
    num_bytes: int
    used: float

    @property
    def name(self) -> str:
        """The kind and the key: `features/8f3c…`."""
        return f"{self.path.parent.name}/{self.path.name.removesuffix(SUFFIX)}"

    @property
    def about(self) -> str:
        """What it holds, in the words of who put it there."""
        from safetensors import SafetensorError, safe_open

        file = next(self.path.glob(f"*{SUFFIX}"), self.path) if self.path.is_dir() else self.path
        try:
            with safe_open(file, "numpy") as opened:
                return (opened.metadata() or {}).get(ABOUT, "")
        except (OSError, SafetensorError):
            return "damaged"

    def remove(self) -> None:
        """Delete it; a run that has mapped it keeps what it has."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def folder() -> Path:
    """Where everything is kept."""
    return Path(os.environ.get("GRAFT_CACHE", "~/.cache/graft")).expanduser()


def limit() -> float:
    """How many bytes may be kept."""
    return float(os.environ.get("GRAFT_CACHE_GB", "20")) * 1e9


def entries() -> list[Entry]:
    """All that is kept, what was used last at the end."""
    found = (_entry(path) for path in folder().glob("*/*"))
    return sorted((entry for entry in found if entry), key=lambda entry: entry.used)


def remove(names: list[str]) -> Iterator[Entry]:
    """Remove the entries that are named: by kind, by kind/key, or by how a key begins.

    Raises:
        RunError: there is no such entry.
    """
    kept = entries()
    for name in names:
        chosen = [e for e in kept if name in (e.path.parent.name, e.name) or _begins(e, name)]
        if not chosen:
            known = suggest(name, {e.path.parent.name for e in kept} | {e.name for e in kept})
            raise RunError(f"{folder()}: nothing is kept as '{name}'; {known}")
        for entry in chosen:
            entry.remove()
            yield entry


def has(kind: str, key: str) -> bool:
    """Whether something is kept as `key`."""
    return _path(kind, key).is_file()


def tensors(kind: str, key: str, make: "Callable[[], Tensors]") -> "Tensors":
    """What was kept as `key` among the files of a kind; made and kept where there is nothing.

    A file that is damaged is made anew. Where nothing can be written, nothing is kept.
    """
    path = _path(kind, key)
    found = load(path)
    if found is None:
        found = make()
        if save(found, path):
            make_room()
    return found


def load(path: Path) -> "Tensors | None":
    """The tensors of a file, mapped; None where there is none, or a damaged one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        os.utime(path)  # used just now
        return load_file(path)
    except (OSError, SafetensorError):
        return None


def save(found: "Tensors", path: Path, about: str = "") -> bool:
    """Write a file whole or not at all; whether that could be done."""
    from safetensors.torch import save_file

    draft = path.with_suffix(f".{os.getpid()}")  # a run that is killed leaves no half of a file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(found, draft, {ABOUT: about})
        draft.replace(path)
        return True
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return False


def make_room(spared: Path | None = None) -> None:
    """Delete what was used the longest time ago, until no more than the limit is left."""
    kept = entries()
    total = sum(entry.num_bytes for entry in kept)
    for entry in kept:
        if total <= limit():
            return
        if entry.path != spared:
            entry.remove()
            total -= entry.num_bytes


def age(entry: Entry) -> str:
    """How long ago it was used, in the largest unit that fits."""
    seconds = max(0.0, time.time() - entry.used)
    units = (("d", 86400), ("h", 3600), ("min", 60))
    return next((f"{seconds / n:.0f} {unit}" for unit, n in units if seconds >= n), "now")


def _path(kind: str, key: str) -> Path:
    return folder() / kind / f"{key}{SUFFIX}"


def _entry(path: Path) -> Entry | None:
    files = path.glob(f"*{SUFFIX}") if path.is_dir() else [path]
    stats = []
    for file in files:
        with suppress(OSError):  # another run has just removed it
            stats.append(file.stat())
    if not stats:
        return None
    return Entry(path, sum(s.st_size for s in stats), max(s.st_mtime for s in stats))


def _begins(entry: Entry, name: str) -> bool:
    return len(name) >= 4 and entry.path.name.startswith(name)
