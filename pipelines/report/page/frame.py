"""What every drawing has: a title, words for those who do not see it, a size, and axes."""

from typing import Any

from pipelines.report.page.axis import Axis


def lay_out(
    title: str,
    description: str,
    size: tuple[float, float],
    x_axis: Axis,
    *,
    y_axis: Axis | None = None,
    bottom: float,
    x_label: str = "",
) -> dict[str, Any]:
    """Return what the `frame` of templates/charts.html draws around a drawing.

    Args:
        size: pixels.
        y_axis: None where rows stand below each other; the lines of the grid are upright then.
        bottom: of the place between the axes.
        x_label: what the lower axis shows.
    """
    return {
        "title": title,
        "description": description,
        "width": size[0],
        "height": size[1],
        "left": x_axis.start,
        "right": x_axis.end,
        "bottom": bottom,
        "x_label": x_label,
        "x_marks": x_axis.marks(),
        "y_marks": y_axis.marks() if y_axis else [],
    }
