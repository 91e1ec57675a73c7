"""An explanation as a picture: tokens in the color of what they say, or a map over an image.

Both functions return the letters that no font of this machine has, which are drawn as boxes.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.report.fonts import Fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = "RdBu"  # against the answer, and for it; told apart by the color-blind
LINE_CHARACTERS = 80
TITLE, LETTERS = "sans-serif", "monospace"  # families of fonts
CHARACTER_INCHES, LINE_INCHES = 0.1, 0.32
MAX_ALPHA = 0.6  # of a color below black letters


def draw_tokens(path: Path, title: str, tokens: Sequence[str], values: np.ndarray) -> str:
    """Draw a text, each token on the color of its value."""
    from matplotlib.figure import Figure

    fonts, of_title = Fonts.covering("".join(tokens), LETTERS), Fonts.covering(title, TITLE)
    placed = [*_placed([*map(fonts.drawn, tokens)])]
    num_lines = placed[-1][1] + 1 if placed else 1
    size = LINE_CHARACTERS * CHARACTER_INCHES + 0.4, (num_lines + 1.5) * LINE_INCHES
    figure = Figure(figsize=size, dpi=150)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-2, LINE_CHARACTERS + 2), ylim=(num_lines, -1.5))
    axes.set_axis_off()
    shown = _plain(of_title.drawn(title))
    axes.text(0, -0.7, shown, family=[*of_title.families], va="center", weight="bold")
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    for (column, line, text), value in zip(placed, values, strict=True):
        _draw_token(axes, (column, line), text, [*fonts.families], float(value) / largest)
    figure.savefig(path)
    return "".join(sorted({*fonts.missing, *of_title.missing}))


def draw_pixels(path: Path, title: str, image: Any, values: np.ndarray) -> str:
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
    fonts = Fonts.covering(title, TITLE)
    figure.suptitle(_plain(fonts.drawn(title)), family=[*fonts.families])
    figure.savefig(path)
    return fonts.missing


def _placed(tokens: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the column and line of each token in letters of one width."""
    column, line = 0, 0
    for token in tokens:
        text = token[: LINE_CHARACTERS // 2 - 1]
        if column and column + _width(text) > LINE_CHARACTERS:
            column, line = 0, line + 1
        yield column, line, text
        column += _width(text) + 1


def _width(text: str) -> int:
    """Count columns: letters such as Chinese ones are two wide."""
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)


def _draw_token(
    axes: "Axes", place: tuple[int, int], text: str, families: Sequence[str], share: float
) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    column, line = place
    color = colormaps[COLORS](0.5 + share / 2)
    box = Rectangle(
        (column, line - 0.42), _width(text), 0.84, color=color, alpha=abs(share) * MAX_ALPHA
    )
    axes.add_patch(box)
    axes.text(column, line, _plain(text), family=families, va="center", size=11.5)


def _plain(text: str) -> str:
    # two dollar signs would be read as mathematics
    return text.replace("$", r"\$")
