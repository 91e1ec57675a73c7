"""What an image processor does to colours, once it has cropped and resized."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelError

if TYPE_CHECKING:
    import torch

Colour = tuple[int, int, int]
SIDE = 64
BYTE = 255
CORNERS = ((0, 0, 0), (BYTE, 0, 0), (0, BYTE, 0), (0, 0, BYTE))
OTHERS = ((200, 90, 30), (10, 60, 220))


@dataclass(frozen=True)
class Colours:
    """Bytes -> the numbers that the model sees: `matrix` (3, 3) times colour plus `offset` (3, 1).

    Mostly a scale and a shift for each channel; some processors turn RGB into BGR, too. With it,
    an image can be varied as bytes after the processor has resized it, or without that.
    """

    matrix: "torch.Tensor"
    offset: "torch.Tensor"

    @classmethod
    def of(cls, processor: Any) -> "Colours":
        """Found out by giving images of one colour to the processor, and tried on one of two.

        Raises:
            ModelError: a colour does not always become the same numbers.
        """
        import torch

        black, red, green, blue = (_seen(processor, colour, colour)[0] for colour in CORNERS)
        matrix = torch.stack([red - black, green - black, blue - black], dim=1) / BYTE
        found = cls(matrix, black[:, None])
        expected = torch.stack(_seen(processor, *OTHERS), dim=1)
        colours = torch.tensor(OTHERS, dtype=torch.uint8).T
        if matrix.shape != (3, 3) or not torch.allclose(found(colours), expected, atol=1e-3):
            raise ModelError(
                f"augmentation: {type(processor).__name__} does not scale and shift colours by "
                "fixed numbers; leave augmentation out, or use another checkpoint"
            )
        return found

    def __call__(self, image: "torch.Tensor") -> "torch.Tensor":
        """(3, …) bytes -> float32 of the same shape."""
        import torch

        return torch.addmm(self.offset, self.matrix, image.flatten(1).float()).view(image.shape)

    def invert(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """(rows, 3, height, width) -> the bytes that they came from."""
        import torch

        flat = torch.linalg.inv(self.matrix) @ (pixels.flatten(2) - self.offset)
        return flat.round().clamp(0, BYTE).to(torch.uint8).view(pixels.shape)


def _seen(processor: Any, left: Colour, right: Colour) -> tuple["torch.Tensor", "torch.Tensor"]:
    """(channels,) of either half of an image, in its middle: borders may be cut off or padded."""
    from PIL.Image import new

    image = new("RGB", (SIDE, SIDE), left)
    image.paste(right, (SIDE // 2, 0, SIDE, SIDE))
    pixels = processor([image], return_tensors="pt")["pixel_values"][0]
    _, height, width = pixels.shape
    return pixels[:, height // 2, width // 4], pixels[:, height // 2, width * 3 // 4]
