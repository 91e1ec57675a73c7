"""An explanation as a picture: tokens in the color of what they say, or a map over an image."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = "RdBu"  # against the answer, and for it; told apart by the color-blind
LINE_CHARACTERS = 80
CHARACTER_INCHES, LINE_INCHES = 0.1, 0.32
MAX_ALPHA = 0.6  # of a color below black letters


def draw_tokens(path: Path, title: str, tokens: Sequence[str], values: np.ndarray) -> None:
    """Draw a text, each token on the color of its value."""
    from matplotlib.figure import Figure

    placed = [*_placed(tokens)]
    num_lines = placed[-1][1] + 1 if placed else 1
    size = LINE_CHARACTERS * CHARACTER_INCHES + 0.4, (num_lines + 1.5) * LINE_INCHES
    figure = Figure(figsize=size, dpi=150)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-2, LINE_CHARACTERS + 2), ylim=(num_lines, -1.5))
    axes.set_axis_off()
    axes.text(0, -0.7, _plain(title), va="center", weight="bold")
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    for (column, line, text), value in zip(placed, values, strict=True):
        _draw_token(axes, column, line, text, float(value) / largest)
    figure.savefig(path)


def draw_pixels(path: Path, title: str, image: Any, values: np.ndarray) -> None:
    """Draw a picture, and beside it what speaks for and against the answer.

    Args:
        image: (height, width, 3) from 0 to 1, as the model sees it.
        values: (height, width).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.9), dpi=150)
    left, right = figure.subplots(1, 2, gridspec_kw={"top": 0.88, "bottom": 0.02, "wspace": 0.02})
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    left.imshow(image)
    right.imshow(np.asarray(image).mean(axis=-1), cmap="gray", alpha=0.35)
    right.imshow(values, cmap=COLORS, vmin=-largest, vmax=largest, alpha=MAX_ALPHA)
    for axes in (left, right):
        axes.set_axis_off()
    figure.suptitle(_plain(title))
    figure.savefig(path)


def _placed(tokens: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the column and line of each token in letters of one width."""
    column, line = 0, 0
    for token in tokens:
        text = token[: LINE_CHARACTERS - 2]
        if column and column + len(text) > LINE_CHARACTERS:
            column, line = 0, line + 1
        yield column, line, text
        column += len(text) + 1


def _draw_token(axes: "Axes", column: int, line: int, text: str, share: float) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    color = colormaps[COLORS](0.5 + share / 2)
    box = Rectangle(
        (column, line - 0.42), len(text), 0.84, color=color, alpha=abs(share) * MAX_ALPHA
    )
    axes.add_patch(box)
    axes.text(column, line, _plain(text), family="monospace", va="center", size=11.5)


def _plain(text: str) -> str:
    # two dollar signs would be read as mathematics
    return text.replace("$", r"\$")
