"""The colors that an image processor makes of bytes, apart from cropping and resizing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache
from pipelines.core.errors import ModelError
from pipelines.tasks.encoding.dataset_map import fingerprint

if TYPE_CHECKING:
    import torch

Color = tuple[int, int, int]
KIND = "colors"
SIDE = 64  # pixels of the test images
BATCH_COLORS = 16
MAX_BYTE = 255
# one gray gives an entry of all three channels' tables
GRAYS = [(value, value, value) for value in range(MAX_BYTE + 1)]
PRIMARIES = [(MAX_BYTE, 0, 0), (0, MAX_BYTE, 0), (0, 0, MAX_BYTE)]
# no grays: what the table says of these is compared with what the processor makes of them
COLORS = [*PRIMARIES, (200, 90, 30), (10, 60, 220), (7, 101, 99)]
SIZES = ((40, 56), (600, 480))  # most processors enlarge the first and shrink the second


@dataclass(frozen=True)
class Colors:
    """A table from bytes to the numbers that the model sees.

    With it an image can be stored and augmented as bytes, before or after the processor resizes it.

    Attributes:
        values: (3, 256) the number that each byte becomes, for each of the model's channels.
        order: (3,) the channel of RGB behind each of the model's; some processors make BGR.
        exact: whether the processor's output can be restored from bytes to the last bit: it can if
            the processor resizes bytes.
    """

    values: "torch.Tensor"
    order: "torch.Tensor"
    exact: bool

    @classmethod
    def of(cls, processor: Any) -> "Colors":
        """Measure the table on images of two colors, or load it from an earlier run.

        Raises:
            ModelError: a color does not always become the same numbers.
        """
        key = fingerprint(type(processor).__name__, processor.to_dict())
        fields = cache.tensors(KIND, key, lambda: _measure(processor))
        return cls(fields["values"], fields["order"], bool(fields["exact"]))

    def __call__(self, images: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Turn uint8 images (3, height, width) of one size into pixels for the model.

        Returns (images, 3, height, width) float32.
        """
        import torch

        pixels = torch.empty((len(images), *images[0].shape))
        table, out = self.values.numpy(), pixels.numpy()
        for image, planes in zip(images, out, strict=True):
            for values, channel, plane in zip(table, self.order.tolist(), planes, strict=True):
                # every byte is in the table: `clip` spares numpy a check that would take a copy
                np.take(values, image[channel].numpy(), out=plane, mode="clip")
        return pixels

    def invert(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Restore the uint8 bytes of (images, 3, height, width) pixels."""
        import torch

        black, white = self.values[:, 0, None, None], self.values[:, MAX_BYTE, None, None]
        shades = (pixels - black).mul_(MAX_BYTE / (white - black)).round_().clamp_(0, MAX_BYTE)
        return shades.to(torch.uint8)[:, self.order.argsort()]


def _measure(processor: Any) -> "dict[str, torch.Tensor]":
    """Measure the fields of `Colors`; raises ModelError."""
    import torch

    values = _processed(processor, GRAYS).T.contiguous()
    shown = _processed(processor, COLORS)
    # each primary color differs from black in one of the model's channels
    order = (shown[: len(PRIMARIES)] - values[:, 0]).abs().argmax(0)
    colors = torch.tensor(COLORS, dtype=torch.uint8).T[:, None]
    if values.shape[0] != len(PRIMARIES) or not torch.allclose(
        Colors(values, order, exact=False)([colors])[0, :, 0], shown.T, atol=1e-3
    ):
        raise ModelError(
            f"augmentation: {type(processor).__name__} does not scale and shift colors by "
            "fixed numbers, so images cannot be augmented as bytes; remove augmentation, or use "
            "another checkpoint"
        )
    exact = all(_restores(Colors(values, order, exact=False), processor, size) for size in SIZES)
    return {"values": values, "order": order, "exact": torch.tensor(exact)}


def _processed(processor: Any, colors: list[Color]) -> "torch.Tensor":
    """Return (colors, channels) as the processor shows each color in half an image."""
    import torch
    from PIL.Image import new

    batches = []
    for start in range(0, len(colors), BATCH_COLORS):
        images = []
        for left, right in zip(*[iter(colors[start : start + BATCH_COLORS])] * 2, strict=True):
            image = new("RGB", (SIDE, SIDE), left)
            image.paste(right, (SIDE // 2, 0, SIDE, SIDE))
            images.append(image)
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        # from the middle of each half: the processor may crop or pad borders
        height, width = pixels.shape[2:]
        halves = pixels[:, :, height // 2, [width // 4, width * 3 // 4]]
        batches.append(halves.transpose(1, 2).flatten(0, 1))
    return torch.cat(batches)


def _restores(colors: Colors, processor: Any, size: tuple[int, int]) -> bool:
    """Tell whether noise of `size` comes back from bytes to the last bit."""
    from PIL.Image import fromarray

    noise = np.random.default_rng(0).integers(0, MAX_BYTE, (*size, 3), np.uint8, endpoint=True)
    pixels = processor([fromarray(noise)], return_tensors="pt")["pixel_values"]
    return bool(colors(colors.invert(pixels).unbind()).equal(pixels))
