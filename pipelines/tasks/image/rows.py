"""Encoded images: rows, or whole batches, of pixel values and labels."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.tasks.encoding.dataset_map import fingerprint
from pipelines.tasks.image.pixels import Pixels

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from pipelines.tasks.augmentations.image import Image

Batch = dict[str, Any]


class EncodedImages:
    """Rows of `pixel_values` (channels, height, width; float32) and `labels`.

    Attributes:
        decodes: whether every access decodes an image, which pays for workers; a split that fits in
            memory is decoded once.
        fingerprint: a key that is the same in all runs in which the rows are; None where they are
            augmented.
    """

    def __init__(self, dataset: "Dataset", processor: Any, labels: Sequence[Any]) -> None:
        self.labels, self._pixels = labels, Pixels.of(dataset, processor)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"pixel_values": self._values([row])[0], "labels": self.labels[row]}

    def __getitems__(self, rows: list[int]) -> Batch:
        """Return a batch of tensors at once; torch's DataLoader calls this."""
        import torch

        labels = torch.tensor([self.labels[row] for row in rows])
        return {"pixel_values": self._values(rows), "labels": labels}

    @property
    def decodes(self) -> bool:
        """Whether every access decodes an image."""
        return self._pixels.decodes

    @property
    def pixels(self) -> Pixels:
        """The images before augmentation."""
        return self._pixels

    @cached_property
    def fingerprint(self) -> str | None:
        """A key of the rows; None where they are augmented."""
        return fingerprint(self._pixels.key, self.labels)

    def _values(self, rows: Sequence[int]) -> "torch.Tensor":
        """Return pixel values (rows, channels, height, width)."""
        return self._pixels.values(self._pixels[rows])


class AugmentedImages(EncodedImages):
    """Rows with another view of an image at each access.

        decoded ── crop ──┐
                          ├── flip, policy ── colors ── erase ──▶ pixel_values
        resized ──────────┘

    A crop is cut from the image in its own size; other views start from the resized image.
    """

    fingerprint = None

    def __init__(
        self, dataset: "Dataset", processor: Any, labels: Sequence[Any], augmentation: "Image"
    ) -> None:
        self.labels, self._pixels = labels, Pixels.of(dataset, processor, augmentation)
        self.view = augmentation.example(self._pixels.size)
        self.erase = augmentation.encoded()

    def _values(self, rows: Sequence[int]) -> "torch.Tensor":
        import torch

        # views come before the table of colors: torchvision's policies expect bytes
        images = self._pixels[rows]
        values = self._pixels.values([self.view(i) for i in images] if self.view else images)
        return torch.stack([self.erase(v) for v in values]) if self.erase else values


def collate(rows: Batch | list[dict[str, Any]]) -> Batch:
    """Stack rows; what `__getitems__` returns is a batch already."""
    from transformers import default_data_collator

    return rows if isinstance(rows, dict) else default_data_collator(rows)
