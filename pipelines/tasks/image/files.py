"""Image files -> pixels in RGB, as `pipeline()` reads them.

A file is a row of a `datasets.Image(decode=False)` column: `{"bytes": …, "path": …}`, one of which
may be None.
"""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.core import cache, regular_files
from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.core.upstream import dataset_fingerprint
from pipelines.tasks import _content as content
from pipelines.tasks.encoding.dataset_map import fingerprint
from pipelines.tasks.image import depth

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from PIL.Image import Image

File = dict[str, Any]
KIND, BATCH_FILES = "pixel_ranges", 1000
# of all threads: the first that meets an image of more than 8 bits looks through the split
SCALING = Lock()


class ImageFiles:
    """The column `image` of a data set; several threads may read it."""

    def __init__(self, dataset: "Dataset") -> None:
        from datasets import Image

        self._feature = dataset.features["image"]
        self.raw = dataset.select_columns(["image"]).cast_column("image", Image(decode=False))
        self._key = fingerprint(KIND, dataset_fingerprint(dataset))
        self._scales: dict[str, depth.Scale] | None = None

    def __len__(self) -> int:
        return len(self.raw)

    def read(self, rows: Sequence[int]) -> "list[Image]":
        """Decode images, turned upright by their EXIF, and scale those of more than 8 bits.

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

    def scales(self) -> dict[str, depth.Scale]:
        """Return the scale on which this split's images of more than 8 bits turn into bytes.

        Returns {"integers" and/or "floats": (black, white)}; such images are decoded for it, once
        for all runs.
        """
        with SCALING:
            if self._scales is None:
                ranges = cache.tensors(KIND, self._key, self._ranges)
                bounds = {kind: values.tolist() for kind, values in ranges.items()}
                self._scales = {
                    kind: depth.full_scale(low, high, kind) for kind, (low, high) in bounds.items()
                }
        return self._scales

    def _ranges(self) -> "dict[str, torch.Tensor]":
        """Measure the least and the largest value of the split, for each kind of numbers."""
        import torch

        ranges: dict[str, list[depth.Scale]] = {}
        with ThreadPoolExecutor() as pool:
            for batch in self.batches(BATCH_FILES):
                for kind, values in filter(None, pool.map(_deep_range, batch)):
                    ranges.setdefault(kind, []).append(values)
        columns = {kind: torch.tensor(rows, dtype=torch.float64) for kind, rows in ranges.items()}
        return {
            kind: torch.stack([rows[:, 0].min(), rows[:, 1].max()])
            for kind, rows in columns.items()
        }

    def _decode(self, file: File | None) -> "Image":
        present = _require(file)
        try:
            # from memory: `datasets` leaves a file open that it cannot decode
            encoded = Path(present["path"]).read_bytes() if _on_disk(present) else present["bytes"]
            image = self._feature.decode_example({**present, "bytes": encoded})
            if kind := depth.numbers(image.mode):
                image = depth.to_bytes(image, self.scales()[kind])
            return image.convert("RGB")
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise _unreadable(present, error) from error


def _deep_range(file: File | None) -> tuple[str, depth.Scale] | None:
    """Return kind and range of an image of more than 8 bits; None of all others."""
    from PIL import Image

    try:
        present = _require(file)
        source = present["path"] if _on_disk(present) else io.BytesIO(present["bytes"])
        with Image.open(source) as opened:
            kind = depth.numbers(opened.mode)
            return (kind, depth.value_range(opened)) if kind else None
    except Exception:  # a damaged one is reported where it is decoded
        return None


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
    # opening a pipe would wait forever, and reading a device would not end
    if _on_disk(file) and (reason := regular_files.problem(file.get("path") or "")):
        raise DataError(f"{file['path']} cannot be read as an image (it {reason})")
    return file


def _on_disk(file: File) -> bool:
    return file.get("bytes") is None


def _unreadable(file: File, error: Exception) -> DataError:
    from PIL import UnidentifiedImageError

    name = file.get("path") or "image"
    reason = first_line(error)
    if isinstance(error, UnidentifiedImageError):  # whose text is the repr of an open file
        reason = _known_content(file) or "no image format"
    return DataError(f"{name} cannot be read as an image ({type(error).__name__}: {reason})")


def _known_content(file: File) -> str | None:
    """Describe what stands in the file instead of an image, if that is obvious."""
    try:
        if _on_disk(file):
            with Path(file["path"]).open("rb") as opened:
                start = opened.read(content.MAX_BYTES)
        else:
            start = file["bytes"][: content.MAX_BYTES]
    except (OSError, TypeError, KeyError):
        return None
    return content.describe(start)
