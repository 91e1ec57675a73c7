"""Data that are not in the working directory, but beside the recipe."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.core.console import say
from pipelines.core.regular_files import real_path
from pipelines.recipe.document import Document, Key, children


def find_beside(document: Document, folder: Path) -> None:
    """Take data from the recipe's folder if they are there, and not in the working directory.

    Args:
        folder: that of the recipe.
    """
    evaluation = [("evaluation", key) for key in ("out_of_distribution", "forgetting")]
    sources = [("data", "sources", name) for name in children(document.get(("data", "sources")))]
    for section in (("data",), ("data", "target"), *sources, *evaluation):
        _find_beside(document, section, folder)


def _find_beside(document: Document, section: Key, folder: Path) -> None:
    data = children(document.get(section))
    if data.get("source", "files") != "files":
        return
    key, names = (*section, "path"), [data["path"]] if "path" in data else []
    if not names:
        key, names = (*section, "splits"), [*_file_names(data.get("splits"))]
    relative = [name for name in names if isinstance(name, str) and not _is_absolute(name)]
    if any(_exists(name, Path()) for name in relative):
        return
    beside = next((name for name in relative if _exists(name, folder)), None)
    if beside is not None:
        data["path"] = str(real_path(folder / data.get("path", "")))
        say(
            f"note: {document.place(key)}: {'.'.join(key)}: '{beside}' is not in the working "
            f"directory, and read from the recipe's folder, {real_path(folder)}"
        )


def _file_names(splits: Any) -> Iterator[Any]:
    """Return the names of all splits, those in lists included."""
    for names in children(splits).values():
        yield from names if isinstance(names, list) else [names]


def _is_absolute(name: str) -> bool:
    return os.path.isabs(Path(name).expanduser())


def _exists(name: str, folder: Path) -> bool:
    """Return whether a name, which may have wildcards, is that of something in a folder."""
    return os.path.lexists(folder / name) or bool(glob.glob(name, root_dir=folder))
