"""Grays of more than 8 bits -> 8 bits, on one scale for all images of a split.

Pillow cuts them off at 255 when it makes RGB of them: nearly all turn white, and fractions black.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Scale = tuple[float, float]  # what becomes black, what becomes white
INTEGERS, FLOATS = "integers", "floats"
MAX_BYTE = 255
# what images of 8, 10, 12, 14, 16, 24 and 32 bits reach
FULL_SCALES = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 32))
BITS_PER_SAMPLE = 258
STATED_LOW, STATED_HIGH = (280, 340), (281, 341)  # TIFF's MinSampleValue and SMinSampleValue, …
PLAIN_BITS = (8, 16, 32)  # that follow from how a number is stored; 12 is what the camera had


def numbers(mode: str) -> str | None:
    """Return INTEGERS or FLOATS for a Pillow mode of more than 8 bits; None for all others."""
    if mode == "F":
        return FLOATS
    return INTEGERS if mode.startswith("I") else None


def value_range(image: "Image") -> Scale:
    """Find the least and the largest value: those in the file, and those that its header states."""
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    lows, highs = [0.0, *_stated(image, STATED_LOW)], [0.0, *_stated(image, STATED_HIGH)]
    bits = np.atleast_1d(_tags(image).get(BITS_PER_SAMPLE, PLAIN_BITS)).tolist()
    if len(bits) == 1 and bits[0] not in PLAIN_BITS:
        highs.append(2.0 ** bits[0] - 1)
    if finite.size:
        lows.append(float(finite.min()))
        highs.append(float(finite.max()))
    return min(lows), max(highs)


def full_scale(low: float, high: float, kind: str) -> Scale:
    """Widen a range to one that is usual, so that splits and new images get the same.

    Integers reach from 0 to the largest number of 8, 10, 12, 14, 16, 24 or 32 bits, fractions to 1;
    with values below 0, they begin at the negative of such a number.
    """
    usual = (1.0, *FULL_SCALES) if kind == FLOATS else FULL_SCALES
    white = next((full for full in usual if high <= full), high)
    return 0.0 - next((full for full in (0.0, 1.0, *usual) if -low <= full), -low), white


def to_bytes(image: "Image", scale: Scale) -> "Image":
    """Scale an image of more than 8 bits to a gray one of 8; what is no number turns black."""
    from PIL.Image import fromarray

    black, white = scale
    shades = (np.asarray(image).astype(np.float64) - black) * (MAX_BYTE / (white - black))
    shades = np.nan_to_num(shades, nan=0.0).round().clip(0, MAX_BYTE)
    return fromarray(shades.astype(np.uint8))


def _tags(image: "Image") -> dict[int, Any]:
    """Return the tags of a TIFF; none of other formats."""
    return dict(getattr(image, "tag_v2", {}))


def _stated(image: "Image", names: tuple[int, ...]) -> list[float]:
    tags = _tags(image)
    stated = (np.atleast_1d(np.asarray(tags[name], float)) for name in names if name in tags)
    return [float(values[0]) for values in stated if values.size and np.isfinite(values[0])]
