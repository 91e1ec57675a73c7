"""Files that are written whole or not at all, and why they could not be."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.core.errors import RunError, text_of

# an OSError of another kind may be about a file that was to be read
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
SAFETENSORS = ("I/O error", "IoError", "os error")
TORCH = ("PytorchStreamWriter", "inline_container", "iostream error")


def write_failure(error: BaseException) -> str | None:
    """Return why a file could not be written, if that is what an error means; else None.

    safetensors and torch raise errors of their own, whose text alone says it.
    """
    if isinstance(error, OSError):
        return error.strerror if error.errno in FULL else None
    text = text_of(error)
    is_tensors = type(error).__name__ == "SafetensorError"
    if is_tensors and any(words in text for words in SAFETENSORS):
        return text.rpartition(": ")[2]
    if isinstance(error, RuntimeError) and any(words in text for words in TORCH):
        return "torch could not write all of it: the disk may be full"
    return None


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes the place of `folder` once it is whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    _remove(partial)  # of a run that was killed
    try:
        yield partial
        _remove(folder)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `file` once it is whole.

    A rename within one folder is atomic: a reader sees the old file or the new one.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        yield partial
        partial.replace(file)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    """Remove a folder, or a file or a link in its place, and never what a link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def require_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before what takes long; nothing is written yet.

    Raises:
        RunError: it is a folder, or something above it is a file or read-only.
    """
    nearest = next(path for path in (file, *file.absolute().parents) if os.path.exists(path))
    if nearest.is_dir() == (nearest == file):
        raise RunError(f"{nearest}: is a {'folder' if nearest.is_dir() else 'file'}; name another")
    if not os.access(nearest, os.W_OK):
        raise RunError(f"{file}: cannot be written: no permission at {nearest}")
