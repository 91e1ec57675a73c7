"""Tensors that were computed once, on disk: found again by all that they follow from.

They lie below GRAFT_CACHE, by default ~/.cache/graft, a safetensors file for each, which is mapped
into memory. Where more than GRAFT_CACHE_GB (20) are kept, those go first that were used the
longest time ago.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, "torch.Tensor"]


def folder() -> Path:
    """Where everything is kept."""
    return Path(os.environ.get("GRAFT_CACHE", "~/.cache/graft")).expanduser()


def has(kind: str, key: str) -> bool:
    """Whether something is kept as `key`."""
    return _path(kind, key).is_file()


def tensors(kind: str, key: str, make: "Callable[[], Tensors]") -> "Tensors":
    """What was kept as `key` among the files of a kind; made and kept where there is nothing.

    A file that is damaged is made anew. Where nothing can be written, nothing is kept.
    """
    path = _path(kind, key)
    found = _load(path)
    if found is None:
        found = make()
        _save(found, path)
    return found


def _path(kind: str, key: str) -> Path:
    return folder() / kind / f"{key}.safetensors"


def _load(path: Path) -> "Tensors | None":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        os.utime(path)  # used just now
        return load_file(path)
    except (OSError, SafetensorError):
        return None


def _save(found: "Tensors", path: Path) -> None:
    from safetensors.torch import save_file

    draft = path.with_suffix(f".{os.getpid()}")  # a run that is killed leaves no half of a file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(found, draft)
        draft.replace(path)
        _make_room(float(os.environ.get("GRAFT_CACHE_GB", "20")) * 1e9)
    except OSError:
        with suppress(OSError):
            draft.unlink()


def _make_room(most: float) -> None:
    """Delete what was used the longest time ago, until at most `most` bytes are left."""
    files = [(file.stat(), file) for file in folder().rglob("*.safetensors")]
    total = sum(stat.st_size for stat, _ in files)
    for stat, file in sorted(files, key=lambda item: item[0].st_mtime):
        if total <= most:
            return
        file.unlink(missing_ok=True)
        total -= stat.st_size
