"""Encoded images: rows, or whole batches, of what a model wants."""

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
        decodes: whether rows are decoded each time they are asked for, which is for workers to do;
            a split that fits in memory is encoded once.
        fingerprint: what follows from these rows can be found by; None where they vary.
    """

    def __init__(self, dataset: "Dataset", processor: Any, labels: Sequence[Any]) -> None:
        self.labels, self._pixels = labels, Pixels.of(dataset, processor)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"pixel_values": self._values([row])[0], "labels": self.labels[row]}

    def __getitems__(self, rows: list[int]) -> Batch:
        """What torch's loader asks for: a batch at once, in tensors already."""
        import torch

        labels = torch.tensor([self.labels[row] for row in rows])
        return {"pixel_values": self._values(rows), "labels": labels}

    @property
    def decodes(self) -> bool:
        return self._pixels.decodes

    @cached_property
    def fingerprint(self) -> str | None:
        return fingerprint(self._pixels.key, self.labels)

    def _values(self, rows: Sequence[int]) -> "torch.Tensor":
        """(rows, channels, height, width)."""
        return self._pixels.values(self._pixels[rows])


class VariedImages(EncodedImages):
    """The same rows, and another view of an image each time.

        decoded ── crop ──┐
                          ├── flip, policy ── colors ── erase ──▶ pixel_values
        resized ──────────┘

    A crop is cut from the image as large as it is; other views start from what the processor
    makes of it.
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

        images = self._pixels[rows]
        values = self._pixels.values([self.view(i) for i in images] if self.view else images)
        return torch.stack([self.erase(v) for v in values]) if self.erase else values


def collate(rows: Batch | list[dict[str, Any]]) -> Batch:
    """Stacks rows; what `__getitems__` gave is a batch already."""
    from transformers import default_data_collator

    return rows if isinstance(rows, dict) else default_data_collator(rows)
