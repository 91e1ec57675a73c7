"""Removing run folders: only what is one, and never one that may still be written to."""

import shutil
import time
from pathlib import Path

from pipelines.core.console import duration, printable
from pipelines.core.errors import RunError
from pipelines.report.run_folder import RunFolder, writing
from pipelines.report.run_row import document, value

MIN_QUIET_SECONDS = 600  # since the last file was written, before an unfinished run may be removed


def check(path: Path) -> RunFolder:
    """Return the run folder at `path`, if it may be removed.

    Raises:
        RunError: it is a link, no run folder, a part of one, or a run that may still train.
    """
    folder, shown = RunFolder(path), printable(path)
    if path.is_symlink() or path.absolute().parent.is_symlink():
        raise RunError(f"{shown}: a link leads there; name the folder itself")
    # not `RunFolder.of`, which takes a file in a run for the run
    if not folder.lock.is_file() or not folder.recipe.is_file() or not path.name.isdecimal():
        raise RunError(f"{shown}: not a run folder; expected one such as runs/bert_sst2/1")
    if not isinstance(value(document(folder.lock), "recipe", "sha256"), str):
        raise RunError(f"{shown}: not a run folder: its lock.json is none of a run")
    if not folder.done:
        quiet = time.time() - _last_written(path)
        if quiet < MIN_QUIET_SECONDS:
            raise RunError(
                f"{shown}: it is not finished, and a file was written {duration(max(quiet, 0))} "
                "ago: it may still be training; stop it, and wait for "
                f"{duration(MIN_QUIET_SECONDS)}"
            )
    return folder


def remove(folder: RunFolder) -> None:
    """Remove a run folder and everything in it; of links in it the links only.

    Raises:
        RunError: something of it cannot be removed.
    """
    with writing(folder.path):
        shutil.rmtree(folder.path)


def _last_written(path: Path) -> float:
    """Return when a run was last written to, in seconds since 1970."""
    files = [path, *path.iterdir(), *path.glob("checkpoints/*"), *path.glob("checkpoints/*/*")]
    return max(file.lstat().st_mtime for file in files)
