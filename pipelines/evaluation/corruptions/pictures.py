"""Pictures with noise, blur, other light, fewer pixels or fewer bits, as in ImageNet-C.

Kinds and degrees are those of arXiv 1903.12261, which are meant for pictures of 256 pixels; of
smaller ones, what is measured in pixels shrinks with them. `images` are (3, height, width) bytes.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np

from pipelines.evaluation.corruptions import Corrupt, Corruptions

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from PIL.Image import Image as Picture

SIDE = 256  # of the shorter side, in pixels, that the degrees are meant for
CROP_MARGIN = 8 / 7  # of what is shrunk to 256 pixels, models usually see 224

# by severity
NOISE_DEVIATIONS = (0.08, 0.12, 0.18, 0.26, 0.38)  # of values from 0 to 1
PHOTONS = (60, 25, 12, 5, 3)  # that a white pixel is made of
DEFOCUS_RADII = (3, 4, 6, 8, 10)  # pixels
MOTIONS = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))  # (radius, deviation), pixels
MAX_MOTION_ANGLE = 45  # degrees from the horizontal
LIGHTER_BY = (0.1, 0.2, 0.3, 0.4, 0.5)  # of values from 0 to 1
CONTRASTS = (0.4, 0.3, 0.2, 0.1, 0.05)  # that are left
PIXEL_SHARES = (0.6, 0.5, 0.4, 0.3, 0.25)  # of each side
JPEG_QUALITIES = (25, 18, 15, 10, 7)


def gaussian_noise(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Add what a sensor sees in the dark."""
    noise = draws.standard_normal(image.shape, np.float32)
    return _bytes(_floats(image) + NOISE_DEVIATIONS[severity - 1] * noise)


def shot_noise(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Count few photons for each pixel."""
    photons = PHOTONS[severity - 1]
    return _bytes(draws.poisson(_floats(image) * photons) / photons)


def defocus_blur(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Spread each pixel over a disk."""
    radius = DEFOCUS_RADII[severity - 1] * _scale(image)
    reach = int(np.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    distances = np.hypot(steps[:, None], steps[None, :])
    # with a soft edge: a radius need not be a whole number
    return _filtered(image, np.clip(radius + 0.5 - distances, 0, 1))


def motion_blur(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Spread each pixel along a line."""
    radius, deviation = (value * _scale(image) for value in MOTIONS[severity - 1])
    angle = np.deg2rad(draws.uniform(-MAX_MOTION_ANGLE, MAX_MOTION_ANGLE))
    reach = int(np.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    along = steps[None, :] * np.cos(angle) + steps[:, None] * np.sin(angle)
    across = steps[None, :] * np.sin(angle) - steps[:, None] * np.cos(angle)
    weights = np.exp(-((along / max(deviation, 1e-6)) ** 2) / 2)
    return _filtered(image, weights * np.clip(1 - np.abs(across), 0, 1))


def brightness(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Raise the value of each pixel in HSV; its hue and saturation stay."""
    values = _floats(image)
    largest = values.max(axis=0, keepdims=True)
    lighter = np.clip(largest + LIGHTER_BY[severity - 1], 0, 1)
    # black has no hue, and turns gray
    return _bytes(np.where(largest > 0, values * lighter / np.maximum(largest, 1e-6), lighter))


def contrast(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Bring all pixels nearer to the mean color."""
    values = _floats(image)
    mean = values.mean(axis=(1, 2), keepdims=True)
    return _bytes((values - mean) * CONTRASTS[severity - 1] + mean)


def pixelate(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Shrink a picture and enlarge it again, in squares."""
    from PIL import Image
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    picture = to_pil_image(image)
    share = PIXEL_SHARES[severity - 1]
    width, height = (max(1, round(side * share)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BOX)
    return pil_to_tensor(small.resize(picture.size, Image.Resampling.BOX))


def jpeg(image: "torch.Tensor", severity: int, draws: np.random.Generator) -> Any:
    """Compress a picture until blocks show."""
    from PIL import Image
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    file = io.BytesIO()
    to_pil_image(image).save(file, "JPEG", quality=JPEG_QUALITIES[severity - 1])
    return pil_to_tensor(Image.open(file))


class ImageCorruptions(Corruptions):
    """Corruptions of the decoded picture, before the model's processor."""

    kinds: ClassVar[Mapping[str, Corrupt]] = {
        "gaussian_noise": gaussian_noise,
        "shot_noise": shot_noise,
        "defocus_blur": defocus_blur,
        "motion_blur": motion_blur,
        "brightness": brightness,
        "contrast": contrast,
        "pixelate": pixelate,
        "jpeg": jpeg,
    }

    def read(self, dataset: "Dataset", rows: Sequence[int], processor: Any) -> "list[torch.Tensor]":
        """Decode pictures: (3, height, width) bytes, of which the shorter side is at most 256.

        What a model sees larger is shrunk less.
        """
        from torchvision.transforms.v2.functional import pil_to_tensor

        from pipelines.tasks.image.files import ImageFiles
        from pipelines.tasks.image.pixels import Pixels

        # of the whole split: that is what bytes are scaled by where values have more bits
        files = ImageFiles(dataset)
        seen = max(Pixels.of(dataset.select(rows[:1]), processor).size)
        longest = max(SIDE, round(seen * CROP_MARGIN))
        return [pil_to_tensor(_shrunk(files.read([row])[0], longest)) for row in rows]

    def write(self, dataset: "Dataset", contents: "Sequence[torch.Tensor]") -> "Dataset":
        """Replace the pictures by others, without loss."""
        from datasets import Image
        from torchvision.transforms.v2.functional import to_pil_image

        files = []
        for content in contents:
            file = io.BytesIO()
            to_pil_image(content).save(file, "BMP")  # ten times faster than PNG
            files.append({"bytes": file.getvalue(), "path": None})
        return dataset.remove_columns(["image"]).add_column("image", files, feature=Image())

    def digest(self, content: "torch.Tensor") -> int:
        """Reduce a picture to a number."""
        return crc32(content.numpy().tobytes())


def _shrunk(picture: "Picture", side: int) -> "Picture":
    """Shrink a picture until its shorter side is at most `side`."""
    factor = side / min(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(length * factor)) for length in picture.size)
    return picture.resize((width, height))


def _scale(image: "torch.Tensor") -> float:
    """Return by how much a picture is smaller than those that pixels are meant for."""
    return min(image.shape[1:]) / SIDE


def _floats(image: "torch.Tensor") -> np.ndarray:
    return image.numpy().astype(np.float32) / 255


def _bytes(values: np.ndarray) -> "torch.Tensor":
    import torch

    return torch.from_numpy((values.clip(0, 1) * 255).round().astype(np.uint8))


def _filtered(image: "torch.Tensor", weights: np.ndarray) -> "torch.Tensor":
    """Replace each pixel by a weighted mean of those around it, mirrored at the edges."""
    from scipy.signal import fftconvolve

    kernel = (weights / weights.sum()).astype(np.float32)
    reach = len(kernel) // 2
    padded = np.pad(_floats(image), ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    return _bytes(fftconvolve(padded, kernel[None], mode="valid", axes=(1, 2)))
