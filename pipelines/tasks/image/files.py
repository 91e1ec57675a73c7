"""Image files -> pixels in RGB, as `pipeline()` reads them.

A file is a row of a `datasets.Image(decode=False)` column: `{"bytes": …, "path": …}`, one of which
may be None.
"""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image

File = dict[str, Any]


class ImageFiles:
    """The column `image` of a data set; may be read by several threads."""

    def __init__(self, dataset: "Dataset") -> None:
        from datasets import Image

        self._feature = dataset.features["image"]
        self.raw = dataset.select_columns(["image"]).cast_column("image", Image(decode=False))

    def __len__(self) -> int:
        return len(self.raw)

    def read(self, rows: Sequence[int]) -> "list[Image]":
        """Some images, upright by their EXIF.

        Raises:
            DataError: one of them cannot be decoded to its last pixel.
        """
        return [self._decoded(file) for file in self.raw[list(rows)]["image"]]

    def sizes(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """(width, height) as the headers of some images have them; nothing is decoded.

        Raises:
            DataError: there is none.
        """
        return [header(file)[:2] for file in self.raw[list(rows)]["image"]]

    def corrupt_rows(self) -> list[int]:
        """The rows that cannot be decoded to their last pixel; decodes all, on all cores."""
        with ThreadPoolExecutor() as pool:
            problems = pool.map(self.problem, range(len(self)))
            return [row for row, problem in enumerate(problems) if problem]

    def problem(self, row: int) -> str | None:
        """Why an image cannot be decoded; None when it can."""
        try:
            self.read([row])
        except DataError as error:
            return str(error)
        return None

    def batches(self, size: int) -> Iterator[list[File]]:
        """All of them, as they lie on disk or in the data."""
        return (batch["image"] for batch in self.raw.iter(size))

    def _decoded(self, file: File | None) -> "Image":
        there = _there(file)
        try:  # from memory: `datasets` leaves a file open that it cannot decode
            content = Path(there["path"]).read_bytes() if _on_disk(there) else there["bytes"]
            return self._feature.decode_example({**there, "bytes": content}).convert("RGB")
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise _unread(there, error) from error


def header(file: File | None) -> tuple[int, int, str]:
    """(width, height, mode) as the file says, before it is turned upright.

    Raises:
        DataError: it is no image.
    """
    from PIL import Image

    there = _there(file)
    try:
        source = there["path"] if _on_disk(there) else io.BytesIO(there["bytes"])
        with Image.open(source) as opened:
            return *opened.size, opened.mode
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise _unread(there, error) from error


def _there(file: File | None) -> File:
    if file is None:
        raise DataError("no image")
    return file


def _on_disk(file: File) -> bool:
    return file.get("bytes") is None


def _unread(file: File, error: Exception) -> DataError:
    name = file.get("path") or "image"
    return DataError(f"{name} cannot be read as an image ({type(error).__name__})")
