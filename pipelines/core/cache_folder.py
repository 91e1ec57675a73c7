"""Where the cache lies, and how much it may hold: GRAFT_CACHE and GRAFT_CACHE_GB."""

import math
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.core.cache_entry import USED
from pipelines.core.errors import RunError

DEFAULT_FOLDER, DEFAULT_GB = "~/.cache/graft", "20"
_temporary: Path | None = None  # stands in for the folder, inside of `temporary`


def path() -> Path:
    """Return the folder of the cache, whether it exists or not."""
    if _temporary:
        return _temporary
    # empty is the default, too: `Path("")` is the working directory
    return Path(os.environ.get("GRAFT_CACHE", "").strip() or DEFAULT_FOLDER).expanduser()


def tables() -> Path:
    """Return the folder of tables, each in a folder of its own."""
    # what `datasets` makes of these variables when it is imported, which takes a second
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    root = os.environ.get("HF_DATASETS_CACHE") or f"{home}/datasets"
    loaded = sys.modules.get("datasets")
    return Path(loaded.config.HF_DATASETS_CACHE if loaded else root).expanduser() / "graft"


def use_table(key: str) -> Path:
    """Return the folder of a table, and note that it is used now."""
    table = tables() / key
    with suppress(OSError):  # a cache may be there to be read only
        table.mkdir(parents=True, exist_ok=True)
        (table / USED).touch()
    return table


def limit() -> float:
    """Return how many bytes the cache may hold.

    Raises:
        RunError: GRAFT_CACHE_GB is no number from 0 up.
    """
    text = os.environ.get("GRAFT_CACHE_GB", "").strip() or DEFAULT_GB
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:  # true of nan as well
        raise RunError(
            f"GRAFT_CACHE_GB={text}: expected a number of gigabytes from 0 up, such as {DEFAULT_GB}"
        )
    return gigabytes * 1e9


@contextmanager
def temporary() -> Iterator[None]:
    """Keep what is computed inside the block until its end: what no later run will ask for."""
    global _temporary
    before = _temporary
    with tempfile.TemporaryDirectory(prefix="graft-") as made:
        _temporary = Path(made)
        try:
            yield
        finally:
            _temporary = before


def is_writable() -> bool:
    """Return whether what is computed is kept: the folder can be written, and may hold something.

    Raises:
        RunError: GRAFT_CACHE_GB is no number from 0 up.
    """
    folder = path()
    present = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    return limit() > 0 and present.is_dir() and os.access(present, os.W_OK)
