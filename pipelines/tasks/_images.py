"""Images -> pixel tensors, decoded and resized once where they fit in memory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

IN_MEMORY = 2**30  # bytes of encoded pixels, per split


class EncodedImages:
    """Rows of `pixel_values` (channels, height, width; float32) and `labels`.

    Resizing and normalising are deterministic, so a split that fits is encoded once, not once
    an epoch; a larger one is encoded batch by batch as the loader asks for it.
    """

    def __init__(self, dataset: "Dataset", processor: Any, labels: list[Any]) -> None:
        self.dataset, self.processor, self.labels = dataset, processor, labels
        size = self._encode([0]).nbytes if len(dataset) else 0
        self._pixels = self._encode_all() if size * len(dataset) <= IN_MEMORY else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        """What torch's loader asks for: the rows of one batch at once."""
        pixels = self._encode(rows) if self._pixels is None else self._pixels[rows]
        return [
            {"pixel_values": image, "labels": self.labels[row]}
            for row, image in zip(rows, pixels, strict=True)
        ]

    def _encode(self, rows: list[int]) -> "torch.Tensor":
        images = [image.convert("RGB") for image in self.dataset.select(rows)["image"]]
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def _encode_all(self, batch_size: int = 256) -> "torch.Tensor":
        import torch
        from tqdm.auto import tqdm

        from pipelines.console import shows_bars

        starts = range(0, len(self), batch_size)
        batches = tqdm(starts, desc="encoding images", disable=not shows_bars())
        return torch.cat(
            [self._encode(list(range(len(self)))[i : i + batch_size]) for i in batches]
        )
