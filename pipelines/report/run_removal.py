"""Removing run folders: only what is one, and never one in which a process is at work."""

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from pipelines.core.console import printable
from pipelines.core.errors import RunError
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_row import document, value
from pipelines.report.writing import writing


def check(path: Path) -> RunFolder:
    """Return the run folder at `path`, if it is one.

    Raises:
        RunError: it is a link, no run folder, or a part of one.
    """
    folder, shown = RunFolder(path), printable(path)
    if path.is_symlink() or path.absolute().parent.is_symlink():
        raise RunError(f"{shown}: a link leads there; name the folder itself")
    # not `RunFolder.of`, which takes a file in a run for the run
    if not folder.lock.is_file() or not folder.recipe.is_file() or not path.name.isdecimal():
        raise RunError(f"{shown}: not a run folder; expected one such as runs/bert_sst2/1")
    if not isinstance(value(document(folder.lock), "recipe", "sha256"), str):
        raise RunError(f"{shown}: not a run folder: its lock.json is none of a run")
    return folder


def remove(folders: Iterable[RunFolder]) -> None:
    """Remove run folders and everything in them, all or none; of links in them the links only.

    Raises:
        RunError: a run is still training, or something cannot be removed.
    """
    with ExitStack() as stack:
        owned = [*folders]
        for folder in owned:
            stack.enter_context(owning(folder))
        for folder in owned:
            with writing(folder.path):
                shutil.rmtree(folder.path)
