"""Parquet and Arrow files -> data sets; what is wrong with a file is one message that names it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core import cache, cache_folder
from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._content import uncompressed, with_fingerprint

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

NUM_DIGITS = 32  # of a hash, in the name of a folder


def read(file: Path, digest: str) -> "Dataset":
    """Read a parquet file, through a cache that goes by its content.

    Raises:
        DataError: it cannot be read.
    """
    from datasets import Dataset

    _silence()
    try:
        # the cache of `datasets` goes by path, size and time: a folder for each content
        folder = cache_folder.use_table(digest[:NUM_DIGITS])
        path = uncompressed(file, digest).absolute()
        dataset = Dataset.from_parquet(str(path), cache_dir=str(folder))
    except Exception as error:  # pyarrow and the operating system raise their own
        explained = _explained(file, error)
        if "corresponds to no data" in str(explained):  # a table without rows
            return Dataset.from_dict({})
        raise explained from error
    cache.make_room()
    return with_fingerprint(dataset, "parquet", digest)


def stream(files: list[Path]) -> "IterableDataset":
    """Stream parquet files, one after the other.

    Raises:
        DataError: the first one cannot be read.
    """
    from datasets import IterableDataset

    _silence()
    try:
        return IterableDataset.from_parquet([str(file.absolute()) for file in files])
    except Exception as error:  # pyarrow and the operating system raise their own
        raise _explained(files[0], error) from error


def map_arrow(file: Path, digest: str) -> "Dataset":
    """Map a file of `save_to_disk` into memory.

    Raises:
        DataError: it cannot be read.
    """
    from datasets import Dataset

    try:
        return with_fingerprint(Dataset.from_file(str(file)), "arrow", digest)
    except Exception as error:  # pyarrow and the operating system raise their own
        raise DataError(f"{file}: cannot be read as arrow: {first_line(error)}") from error


def _silence() -> None:
    # `datasets` prints what it then raises
    logging.getLogger("datasets.packaged_modules.parquet.parquet").setLevel(logging.CRITICAL)


def _explained(file: Path, error: BaseException) -> DataError:
    while error.__cause__:  # `datasets` wraps the error that says what is wrong
        error = error.__cause__
    return DataError(f"{file}: cannot be read as parquet: {first_line(error)}")
