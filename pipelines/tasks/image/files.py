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
    """The column `image` of a data set; several threads may read it."""

    def __init__(self, dataset: "Dataset") -> None:
        from datasets import Image

        self._feature = dataset.features["image"]
        self.raw = dataset.select_columns(["image"]).cast_column("image", Image(decode=False))

    def __len__(self) -> int:
        return len(self.raw)

    def read(self, rows: Sequence[int]) -> "list[Image]":
        """Decode images, turned upright by their EXIF.

        Raises:
            DataError: one of them cannot be decoded to its last pixel.
        """
        return [self._decode(file) for file in self.raw[list(rows)]["image"]]

    def sizes(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """Read (width, height) of images from their headers; nothing is decoded.

        Raises:
            DataError: a row has no image, or no readable header.
        """
        return [header(file)[:2] for file in self.raw[list(rows)]["image"]]

    def corrupt_rows(self) -> list[int]:
        """Return the rows that cannot be decoded to their last pixel; decodes all, on all cores."""
        with ThreadPoolExecutor() as pool:
            problems = pool.map(self.problem, range(len(self)))
            return [row for row, problem in enumerate(problems) if problem]

    def problem(self, row: int) -> str | None:
        """Describe why an image cannot be decoded; None when it can."""
        try:
            self.read([row])
        except DataError as error:
            return str(error)
        return None

    def batches(self, size: int) -> Iterator[list[File]]:
        """Iterate over all files in batches of `size`, encoded as they are stored."""
        return (batch["image"] for batch in self.raw.iter(size))

    def _decode(self, file: File | None) -> "Image":
        present = _require(file)
        try:
            # from memory: `datasets` leaves a file open that it cannot decode
            content = Path(present["path"]).read_bytes() if _on_disk(present) else present["bytes"]
            # Pillow makes 16-bit grays all white or all black here, and so does `pipeline()`
            return self._feature.decode_example({**present, "bytes": content}).convert("RGB")
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise _unreadable(present, error) from error


def header(file: File | None) -> tuple[int, int, str]:
    """Read (width, height, mode) from a file's header, before it is turned upright.

    Raises:
        DataError: there is no image, or no readable header.
    """
    from PIL import Image

    present = _require(file)
    try:
        source = present["path"] if _on_disk(present) else io.BytesIO(present["bytes"])
        with Image.open(source) as opened:
            return *opened.size, opened.mode
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise _unreadable(present, error) from error


def _require(file: File | None) -> File:
    if file is None:
        raise DataError("no image")
    return file


def _on_disk(file: File) -> bool:
    return file.get("bytes") is None


def _unreadable(file: File, error: Exception) -> DataError:
    name = file.get("path") or "image"
    return DataError(f"{name} cannot be read as an image ({type(error).__name__})")
