"""Images -> pixel tensors, decoded and resized once where they fit in memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.tasks._colours import Colours
from pipelines.tasks._packed import Packed
from pipelines.tasks._rows import fingerprint

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from pipelines.augmentations.image import Image

IN_MEMORY = 2**30  # bytes of encoded pixels, per split
BATCH = 256
SAMPLE = 32  # images whose sizes tell how large the others are


class EncodedImages:
    """Rows of `pixel_values` (channels, height, width; float32) and `labels`.

    Resizing and normalising are deterministic, so a split that fits is encoded once, not once
    an epoch, and kept for later runs; a larger one is encoded batch by batch as the loader asks
    for it.
    """

    kind = "pixel_values"  # what is the same each time

    def __init__(self, dataset: "Dataset", processor: Any, labels: Sequence[Any]) -> None:
        self.dataset, self.processor, self.labels = dataset, processor, labels
        key = fingerprint(dataset._fingerprint, processor.to_dict(), self.kind)
        keeps = Packed.is_kept(key) or self._fits()
        self._kept = Packed.kept(key, self._encode_all) if keeps else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        """What torch's loader asks for: the rows of one batch at once."""
        kept = self._kept
        pixels = self._encode(rows) if kept is None else [kept[row]["pixels"] for row in rows]
        return [
            {"pixel_values": self._finish(image), "labels": self.labels[row]}
            for row, image in zip(rows, pixels, strict=True)
        ]

    def _encode(self, rows: Iterable[int]) -> "Iterable[torch.Tensor]":
        """What is the same each time, of some rows."""
        return _pixel_values(self.dataset, rows, self.processor)

    def _finish(self, pixels: "torch.Tensor") -> "torch.Tensor":
        return pixels

    def _fits(self) -> bool:
        sample = range(0, len(self), max(1, len(self) // SAMPLE))
        return sum(image.nbytes for image in self._encode(sample)) * sample.step <= IN_MEMORY

    def _encode_all(self) -> "Iterator[dict[str, torch.Tensor]]":
        from tqdm.auto import tqdm

        from pipelines.console import shows_bars

        rows = range(len(self))
        starts = tqdm(rows[::BATCH], desc="encoding images", disable=not shows_bars())
        for start in starts:
            yield from ({"pixels": image} for image in self._encode(rows[start : start + BATCH]))


class VariedImages(EncodedImages):
    """The same rows, and another view of an image each time.

        decoded ── crop ──┐
                          ├── flip, policy ── colours ── erase ──▶ pixel_values
        resized ──────────┘

    A crop is cut from the image as large as it is; other views start from what the processor
    makes of it. Both are bytes, of which four times as many fit in memory.
    """

    def __init__(
        self, dataset: "Dataset", processor: Any, labels: Sequence[Any], augmentation: "Image"
    ) -> None:
        self.colours = Colours.of(processor)
        self.is_cropped = augmentation.crop is not None
        self.kind = "decoded" if self.is_cropped else "resized"
        height, width = _pixel_values(dataset, [0], processor).shape[2:]
        self.view, self.erase = augmentation.example((height, width)), augmentation.encoded()
        super().__init__(dataset, processor, labels)

    def _encode(self, rows: Iterable[int]) -> "Iterable[torch.Tensor]":
        from torchvision.transforms.v2.functional import pil_to_tensor

        if self.is_cropped:
            return [pil_to_tensor(image) for image in _rgb(self.dataset, rows)]
        return self.colours.invert(_pixel_values(self.dataset, rows, self.processor))

    def _finish(self, pixels: "torch.Tensor") -> "torch.Tensor":
        viewed = self.colours(self.view(pixels) if self.view else pixels)
        return self.erase(viewed) if self.erase else viewed


def _pixel_values(dataset: "Dataset", rows: Iterable[int], processor: Any) -> "torch.Tensor":
    """(rows, channels, height, width) float32."""
    return processor(_rgb(dataset, rows), return_tensors="pt")["pixel_values"]


def _rgb(dataset: "Dataset", rows: Iterable[int]) -> list[Any]:
    """As `pipeline()` reads them; `datasets` turns them upright by their EXIF, as it does."""
    return [image.convert("RGB") for image in dataset.select(rows)["image"]]
