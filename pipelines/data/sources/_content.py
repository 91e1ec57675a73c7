"""Content of files: what caches and locks are keyed by.

Name, size and time of a file do not tell whether it was replaced (`cp -p`, `rsync -t`, archives).
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import cache, cache_folder
from pipelines.data.sources._encoding import COMPRESSIONS, open_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

# file -> the hash of what this run read of it, so that the lock names that and nothing later
_READ: dict[Path, str] = {}


def read_digests(files: Iterable[Path]) -> dict[Path, str]:
    """Hash files that are about to be read: file -> SHA-256 of its content, in hexadecimal."""
    files = list(files)
    # hashing releases the interpreter's lock, so threads use all cores
    with ThreadPoolExecutor() as pool:
        digests = dict(zip(files, pool.map(_sha256, files), strict=True))
    _READ.update({file.absolute(): digest for file, digest in digests.items()})
    return digests


def digest(file: Path) -> str:
    """Return the hash of a file as this run read it, or else as it is now."""
    return _READ.get(file.absolute()) or _sha256(file)


def forget_digests() -> None:
    """Forget what was read, before another run of this process reads files that may have changed.

    A run that compares files with a lock does so before it reads them.
    """
    _READ.clear()


def cached(kind: str, *key: Any, write: Callable[[Path], None]) -> Path:
    """Return the file that `write` made for this key, in this run or an earlier one."""
    from datasets.fingerprint import Hasher

    file = cache_folder.use_table(Hasher.hash(key)) / kind
    if not file.exists():
        # several processes may write at once: each its own draft, moved in one step
        draft = file.with_suffix(f".{os.getpid()}")
        try:
            write(draft)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        cache.make_room()
    return file


def cached_table(*key: Any, schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]") -> "Dataset":
    """Write Arrow batches to the cache, unless they are in it, and map them into memory.

    Args:
        key: what the batches follow from; the fingerprint of the data set, too.
    """
    import pyarrow as pa
    from datasets import Dataset

    def write(draft: Path) -> None:
        """Write one batch after the other."""
        with pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)

    file = cached("table.arrow", *key, write=write)
    return with_fingerprint(Dataset.from_file(str(file)), *key)


def uncompressed(file: Path, digest: str) -> Path:
    """Return a file, or what is in it if it is compressed, for readers that look at its end."""
    if file.suffix.lower() not in COMPRESSIONS:
        return file

    def write(draft: Path) -> None:
        """Uncompress the file."""
        with open_bytes(file) as source, draft.open("wb") as content:
            shutil.copyfileobj(source, content)

    return cached("content", "uncompressed 1", digest, write=write)


def with_fingerprint(dataset: "Dataset", *key: Any) -> "Dataset":
    """Give a data set the fingerprint that follows from `key`; caches are keyed by it."""
    from datasets import Dataset
    from datasets.fingerprint import Hasher

    return Dataset(dataset.data, info=dataset.info, fingerprint=Hasher.hash(key))


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
