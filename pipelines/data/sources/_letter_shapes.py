"""Letters of matplotlib's fonts, as distances to their outlines and skeletons."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

# pixels
CANVAS = 64  # side of the canvas that a glyph is drawn on
GLYPH = 48  # longer side of the glyph there


@cache
def distances(font: str, letter: str) -> tuple[np.ndarray, np.ndarray]:
    """Measure pixels to outline (negative inside) and skeleton: (CANVAS, CANVAS) float32 each."""
    glyph = _glyph(font, letter)
    outline = distance_transform_edt(~glyph) - distance_transform_edt(glyph)
    return outline.astype(np.float32), distance_transform_edt(~_thin(glyph)).astype(np.float32)


def _glyph(font: str, letter: str) -> np.ndarray:
    """Draw a letter, GLYPH pixels long, in the middle of its canvas: (CANVAS, CANVAS) bool."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    face = ImageFont.truetype(str(path), 2 * GLYPH)  # twice as large as needed, then reduced
    left, top, right, bottom = face.getbbox(letter)
    ink = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(ink).text((-left, -top), letter, font=face, fill=255)
    ink = ink.crop(ink.getbbox())
    ink = ink.resize([max(1, round(side * GLYPH / max(ink.size))) for side in ink.size])
    canvas = Image.new("L", (CANVAS, CANVAS))
    canvas.paste(ink, ((CANVAS - ink.width) // 2, (CANVAS - ink.height) // 2))
    return np.asarray(canvas) > 127


def _thin(glyph: np.ndarray) -> np.ndarray:
    """Return the skeleton of a bool image, one pixel wide (Zhang and Suen, CACM 27(3), 1984)."""
    # shifts that bring each neighbor to a pixel's place: north, then clockwise
    ring = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    while True:
        before = glyph.sum()
        # the two subiterations of the paper peel the south-east and the north-west boundary
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            near = np.stack([np.roll(glyph, shift, (0, 1)) for shift in ring])
            turns, count = (~near & np.roll(near, -1, 0)).sum(0), near.sum(0)
            border = ~near[list(first)].all(0) & ~near[list(second)].all(0)
            glyph = glyph & ~((turns == 1) & (count >= 2) & (count <= 6) & border)
        if glyph.sum() == before:
            return glyph
