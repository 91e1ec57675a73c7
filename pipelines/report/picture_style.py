"""What all pictures share: colors and the look of the axes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAIN_COLOR, VALIDATION_COLOR, CHOSEN_COLOR, BASELINE_COLOR = (
    "#8c8c8c",
    "#0b6fa4",
    "#d1495b",
    "#5c5c5c",
)


def margins(width: float, height: float, **inches: float) -> dict[str, float]:
    """Convert margins to shares of a figure, as `subplots` takes them.

    A layout that matplotlib computes draws everything twice, which is half of the time.

    Args:
        width, height: of the figure, in inches.
        inches: `left`, `right`, `top` and `bottom`.
    """
    left, right, top, bottom = (inches[side] for side in ("left", "right", "top", "bottom"))
    return {
        "left": left / width,
        "right": 1 - right / width,
        "top": 1 - top / height,
        "bottom": bottom / height,
    }


def style_axes(figure: "Figure") -> None:
    """Apply the common look to all axes, after everything has been drawn."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e6e6")
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize="small")
