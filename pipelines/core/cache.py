"""What was computed once, on disk, under a key made of everything that it depends on.

Everything lies below GRAFT_CACHE, by default ~/.cache/graft, as safetensors, which are mapped into
memory. An entry is a file, or a folder of them:

    encoded/KEY.safetensors       rows of model inputs
    features/KEY/*.safetensors    features of rows, as many as were computed so far (chunks.py)
    colors/KEY.safetensors        how an image processor changes colors
    corrupt_rows/KEY.safetensors  rows whose images cannot be decoded
    folds/KEY.safetensors         logits of rows that a model was not trained on
    pixel_ranges/KEY.safetensors  least and largest values of images of more than 8 bits

Tables, and the texts encoded from them, lie in the cache of `datasets`, a folder for each content.

Beyond GRAFT_CACHE_GB (20), the least recently used entries are removed; `graft cache` lists them.
Nothing else below GRAFT_CACHE is ever touched: it may be a folder with other files of the user.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core import cache_folder
from pipelines.core.cache_entry import ABOUT, SUFFIX, Entry
from pipelines.core.disk import write_failure
from pipelines.core.errors import RunError, suggest

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, "torch.Tensor"]

TABLE_SECONDS = 7 * 24 * 3600.0  # a run that is under way opens its tables by their paths
# the folders below GRAFT_CACHE
KINDS = ("encoded", "features", "colors", "corrupt_rows", "folds", "pixel_ranges")

_is_paused = False


@contextmanager
def paused() -> Iterator[None]:
    """Compute without keeping anything inside the block: what will not be asked for again."""
    global _is_paused
    before, _is_paused = _is_paused, True
    try:
        yield
    finally:
        _is_paused = before


def entries(min_age: float = 0.0) -> list[Entry]:
    """List all cache entries, least recently used first.

    Args:
        min_age: of tables, in seconds since their last use.
    """
    present: list[Entry] = []
    for kind in KINDS:
        with suppress(OSError):  # no such folder, or none that can be read
            present += filter(None, map(Entry.at, (cache_folder.path() / kind).iterdir()))
    with suppress(OSError):
        unused_since = time.time() - min_age
        present += filter(
            None, (Entry.of_table(path, unused_since) for path in cache_folder.tables().iterdir())
        )
    return sorted(present, key=lambda entry: entry.used)


def remove(names: list[str]) -> Iterator[Entry]:
    """Remove the entries that are named by kind, by kind/key, or by the beginning of a key.

    Raises:
        RunError: there is no such entry.
    """
    present = entries()
    for name in names:
        chosen = [e for e in present if name in (e.kind, e.name) or _begins(e, name)]
        if not chosen:
            known = suggest(name, {e.kind for e in present} | {e.name for e in present})
            raise RunError(f"{cache_folder.path()}: no entry '{name}'; {known}")
        for entry in chosen:
            entry.remove()
            yield entry


def has(kind: str, key: str) -> bool:
    """Return whether there is an entry `key`."""
    return path(kind, key).is_file()


def tensors(kind: str, key: str, make: "Callable[[], Tensors]") -> "Tensors":
    """Load the tensors of an entry, or make and save them.

    A damaged file is made again. If nothing can be written, the tensors are returned all the same.
    """
    file = path(kind, key)
    result = load(file)
    if result is None:
        result = make()
        if save(result, file):
            make_room()
    return result


def load(file: Path) -> "Tensors | None":
    """Map the tensors of a file into memory; None where there is none, or a damaged one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        os.utime(file)  # the time of the last use decides what is removed first
        return load_file(file)
    except (OSError, SafetensorError):
        return None


def save(values: "Tensors", file: Path, about: str = "") -> bool:
    """Write a file whole or not at all; returns whether that could be done, and was to be."""
    from safetensors.torch import save_file

    if _is_paused:
        return False
    draft = file.with_suffix(f".{os.getpid()}")  # a killed run must not leave half a file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(values, draft, {ABOUT: about})
        draft.replace(file)
        return True
    except Exception as error:
        with suppress(OSError):
            draft.unlink()
        if not isinstance(error, OSError) and write_failure(error) is None:
            raise
        return False


def make_room(spared: Path | None = None) -> None:
    """Delete the least recently used entries until the cache is within its limit.

    Args:
        spared: an entry that is in use and stays.
    """
    present, max_bytes = entries(TABLE_SECONDS), cache_folder.limit()
    total = sum(entry.num_bytes for entry in present)
    for entry in present:
        if total <= max_bytes:
            return
        if entry.path != spared:
            entry.remove()
            total -= entry.num_bytes


def path(kind: str, key: str) -> Path:
    """Return the file of an entry, whether it exists or not."""
    assert kind in KINDS, kind  # entries of another kind would never be removed
    return cache_folder.path() / kind / f"{key}{SUFFIX}"


def _begins(entry: Entry, name: str) -> bool:
    # a shorter beginning could fit many entries, and what it names is removed
    return len(name) >= 4 and entry.path.name.startswith(name)
