"""What an image processor does to colors, once it has cropped and resized."""

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
SIDE = 64
BATCH = 16
BYTE = 255
GREYS = [(value, value, value) for value in range(BYTE + 1)]
PRIMARIES = [(BYTE, 0, 0), (0, BYTE, 0), (0, 0, BYTE)]
OTHERS = [*PRIMARIES, (200, 90, 30), (10, 60, 220), (7, 101, 99)]
SIZES = ((40, 56), (600, 480))  # made larger and made smaller by most processors


@dataclass(frozen=True)
class Colors:
    """Bytes -> the numbers that the model sees, each looked up among those of the processor.

    With it, an image can be kept, and varied, as bytes after the processor has resized it, or
    without that.

    Attributes:
        values: (3, 256) what each byte becomes, in the model's channels.
        order: (3,) the channel of RGB that each of them shows; some processors turn it into BGR.
        exact: whether bytes are enough to have again, to the last bit, what the processor made of
            an image: they are if it resizes bytes.
    """

    values: "torch.Tensor"
    order: "torch.Tensor"
    exact: bool

    @classmethod
    def of(cls, processor: Any) -> "Colors":
        """Found out by giving images of one color or two to the processor; kept for later runs.

        Raises:
            ModelError: a color does not always become the same numbers.
        """
        key = fingerprint(type(processor).__name__, processor.to_dict())
        found = cache.tensors(KIND, key, lambda: _found_out(processor))
        return cls(found["values"], found["order"], bool(found["exact"]))

    def __call__(self, images: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Images (3, height, width) of one size, as bytes -> (images, 3, height, width) float32."""
        import torch

        seen = torch.empty((len(images), *images[0].shape))
        table, out = self.values.numpy(), seen.numpy()
        for image, planes in zip(images, out, strict=True):
            for values, channel, plane in zip(table, self.order.tolist(), planes, strict=True):
                # every byte is there: `clip` spares numpy a check that would take a copy
                np.take(values, image[channel].numpy(), out=plane, mode="clip")
        return seen

    def invert(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """(images, 3, height, width) -> the bytes that they came from."""
        import torch

        black, white = self.values[:, 0, None, None], self.values[:, BYTE, None, None]
        shades = (pixels - black).mul_(BYTE / (white - black)).round_().clamp_(0, BYTE)
        return shades.to(torch.uint8)[:, self.order.argsort()]


def _found_out(processor: Any) -> "dict[str, torch.Tensor]":
    """The fields of `Colors`; raises ModelError."""
    import torch

    values = _seen(processor, GREYS).T.contiguous()
    shown = _seen(processor, OTHERS)
    order = (shown[: len(PRIMARIES)] - values[:, 0]).abs().argmax(0)
    colors = torch.tensor(OTHERS, dtype=torch.uint8).T[:, None]
    if values.shape[0] != len(PRIMARIES) or not torch.allclose(
        Colors(values, order, exact=False)([colors])[0, :, 0], shown.T, atol=1e-3
    ):
        raise ModelError(
            f"augmentation: {type(processor).__name__} does not scale and shift colors by "
            "fixed numbers; leave augmentation out, or use another checkpoint"
        )
    exact = all(_comes_back(Colors(values, order, exact=False), processor, s) for s in SIZES)
    return {"values": values, "order": order, "exact": torch.tensor(exact)}


def _seen(processor: Any, colors: list[Color]) -> "torch.Tensor":
    """(colors, channels) in the middle of half an image: borders may be cut off or padded."""
    import torch
    from PIL.Image import new

    seen = []
    for start in range(0, len(colors), BATCH):
        images = []
        for left, right in zip(*[iter(colors[start : start + BATCH])] * 2, strict=True):
            image = new("RGB", (SIDE, SIDE), left)
            image.paste(right, (SIDE // 2, 0, SIDE, SIDE))
            images.append(image)
        pixels = processor(images, return_tensors="pt")["pixel_values"]
        height, width = pixels.shape[2:]
        halves = pixels[:, :, height // 2, [width // 4, width * 3 // 4]]
        seen.append(halves.transpose(1, 2).flatten(0, 1))
    return torch.cat(seen)


def _comes_back(colors: Colors, processor: Any, size: tuple[int, int]) -> bool:
    """Whether noise is the same after it was bytes."""
    from PIL.Image import fromarray

    noise = np.random.default_rng(0).integers(0, BYTE, (*size, 3), np.uint8, endpoint=True)
    pixels = processor([fromarray(noise)], return_tensors="pt")["pixel_values"]
    return bool(colors(colors.invert(pixels).unbind()).equal(pixels))
