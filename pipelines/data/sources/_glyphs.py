"""Letters drawn from matplotlib's fonts and bent like handwriting.

Each Latin letter is set in the text fonts that matplotlib ships (DejaVu, STIX, Computer Modern)
and stored as the distance to its outline or its skeleton, so that one threshold gives a stroke of
any width. An affine map and an elastic displacement (Simard et al., "Best practices for
convolutional neural networks applied to visual document analysis", ICDAR 2003) distort it; its ink
is then fitted to the frame and averaged over blocks, as NIST's and UCI's handwritten digits were
prepared. There are no digits.
"""

import string
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from pipelines.data.sources._letter_shapes import CANVAS, GLYPH, distances

HELD_OUT_FONTS = ("DejaVuSansMono-Bold", "STIXGeneralItalic", "cmss10")
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta"),
    *("cmb10", "cmmi10", "cmr10", "cmti10", "cmtt10"),
)
LETTERS = string.ascii_uppercase + string.ascii_lowercase

FRAME = 32  # side of the frame that the letter is sampled in
# the first sampling covers this many glyph boxes, so that no part of a bent letter is cut off
SEARCH_SCALE = 1.6
NUM_GRAY_LEVELS = 16  # as in UCI's digits
SIZES = (8, 16, 32)  # that divide FRAME


@dataclass(frozen=True)
class Handwriting:
    """How far handwriting strays from print.

    Lengths are in pixels of the glyph box; single numbers are standard deviations of a normal
    distribution, pairs the ends of a uniform one.
    """

    rotation: float = 0.15  # radians
    shear: float = 0.2
    elastic: float = 4.0  # displacement of each knot of a `knots` x `knots` grid
    knots: int = 4
    jitter: float = 0.06  # of size and place, as a share of the frame
    # share of letters drawn along their skeleton; the others have the font's weight
    pen: float = 0.6
    nib: tuple[float, float] = (3.0, 6.5)  # radius of the pen
    growth: tuple[float, float] = (-1.0, 3.0)  # by how much a font's own outline swells


def render(
    num_per_class: int,
    size: int,
    seed: int,
    fonts: tuple[str, ...] = FONTS,
    style: Handwriting = Handwriting(),
) -> tuple[np.ndarray, list[int], list[str]]:
    """Draw white letters on black, `num_per_class` of each, at about 0.6 ms per image.

    The same arguments give the same images.

    Args:
        size: pixels on a side, one of SIZES.

    Returns:
        (images (n, size, size) uint8, labels (n), class names).

    Raises:
        ValueError: another `size`.
    """
    if size not in SIZES:
        raise ValueError(f"size {size} is not one of {', '.join(map(str, SIZES))}")
    rng = np.random.default_rng(seed)
    images = [_write(letter, num_per_class, fonts, style, rng) for letter in LETTERS]
    labels = np.repeat(np.arange(len(LETTERS)), num_per_class).tolist()
    return _shrink(np.concatenate(images), size), labels, list(LETTERS)


def _write(
    letter: str, num: int, fonts: tuple[str, ...], style: Handwriting, rng: np.random.Generator
) -> np.ndarray:
    """Write a letter `num` times, each distorted anew: (num, FRAME, FRAME) ink in [0, 1]."""
    outlines, skeletons = zip(*(distances(font, letter) for font in fonts), strict=True)
    pen = rng.random(num) < style.pen
    # outlines come first in `fields`, then skeletons, so that one index selects font and kind
    field = rng.integers(len(fonts), size=num) + len(fonts) * pen
    radius = np.where(pen, rng.uniform(*style.nib, num), rng.uniform(*style.growth, num))
    fields = np.stack(outlines + skeletons)
    affine, bend = _affine(num, style, rng), _bend(num, style, rng)

    def sample_ink(scale: np.ndarray, center: np.ndarray, radius: np.ndarray) -> np.ndarray:
        """Sample strokes in frames of this scale and center: (num, FRAME, FRAME) ink."""
        points = _grid() * scale[:, :, None, None] + center[:, :, None, None]
        points = np.einsum("nij,njyx->niyx", affine, points) + bend + (CANVAS - 1) / 2
        index = np.broadcast_to(field[:, None, None], points[:, 0].shape)
        distance = map_coordinates(
            fields, [index, points[:, 0], points[:, 1]], order=1, mode="nearest"
        )
        # a ramp two pixels wide instead of a step: smooth edges
        return np.clip((radius[:, None, None] - distance) / 2 + 0.5, 0, 1)

    first = sample_ink(np.full((num, 2), SEARCH_SCALE), np.zeros((num, 2)), radius)
    scale, center = _fit(first, style, rng)
    # a pen keeps its width on the page, however large the letter is written
    return sample_ink(scale, center, np.where(pen, radius * scale.mean(1), radius))


def _fit(
    ink: np.ndarray, style: Handwriting, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fit letters to the frame: scale and center, (n, 2) each as (y, x).

    They fill the frame's height, and wide letters are narrowed as in handwriting.
    """
    ends = []
    for axis in (2, 1):
        inked = np.asarray((ink > 0.5).any(axis))
        ends.append((inked.argmax(1), FRAME - 1 - inked[:, ::-1].argmax(1)))
    low, high = (
        np.stack(end, 1) * (SEARCH_SCALE * GLYPH / (FRAME - 1)) - SEARCH_SCALE * GLYPH / 2
        for end in zip(*ends, strict=True)
    )
    # not below 0.02: a letter whose ink was all cut off would be scaled to infinity
    height, width = np.maximum((high - low) / GLYPH, 0.02).T
    narrowed = np.minimum(0.7 * (width / height) ** 0.6 * np.exp(rng.normal(0, 0.15, len(ink))), 1)
    scale = (
        1.05
        * np.stack([height, width / narrowed], 1)
        * np.exp(rng.normal(0, style.jitter, low.shape))
    )
    return scale, (low + high) / 2 + rng.normal(0, style.jitter * GLYPH / 2, low.shape)


def _affine(num: int, style: Handwriting, rng: np.random.Generator) -> np.ndarray:
    """Draw rotations after shears: (num, 2, 2), acting on (y, x)."""
    angle, shear = rng.normal(0, style.rotation, num), rng.normal(0, style.shear, num)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    return np.einsum(
        "ijn,jkn->nik", rotation, np.array([[shear * 0 + 1, shear * 0], [shear, shear * 0 + 1]])
    )


def _bend(num: int, style: Handwriting, rng: np.random.Generator) -> np.ndarray:
    """Draw smooth displacements (num, 2, FRAME, FRAME), in pixels.

    Random knots are interpolated by Keys's cubic convolution (IEEE TASSP 29, 1981).
    """
    reach = np.abs(np.linspace(0, style.knots - 1, FRAME)[:, None] - np.arange(style.knots))
    near, far = (
        1.5 * reach**3 - 2.5 * reach**2 + 1,
        -0.5 * reach**3 + 2.5 * reach**2 - 4 * reach + 2,
    )
    cubic = np.where(reach < 1, near, np.where(reach < 2, far, 0))
    return cubic @ rng.normal(0, style.elastic, (num, 2, style.knots, style.knots)) @ cubic.T


def _grid() -> np.ndarray:
    """Place the frame's pixels over one glyph box: (2, FRAME, FRAME) of (y, x)."""
    side = np.linspace(-GLYPH / 2, GLYPH / 2, FRAME)
    return np.stack(np.meshgrid(side, side, indexing="ij"))


def _shrink(ink: np.ndarray, size: int) -> np.ndarray:
    """Average blocks of (n, FRAME, FRAME) ink in [0, 1]: (n, size, size) uint8."""
    block = FRAME // size
    means = ink.reshape(-1, size, block, size, block).mean((2, 4))
    return (np.round(means * NUM_GRAY_LEVELS) * (255 / NUM_GRAY_LEVELS)).astype(np.uint8)
