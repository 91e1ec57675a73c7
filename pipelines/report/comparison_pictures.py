"""Pictures of a comparison: learning curves with bands over seeds, and scores over train rows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.evaluation.comparison import Comparison, MeanPoint
from pipelines.report.picture_style import BASELINE_COLOR, margins, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.2, 4.2)  # inches


def draw_curves(path: Path, compared: Comparison) -> None:
    """Draw scores on validation over steps; what takes no steps is a line at its score."""

    def draw(axes: "Axes") -> None:
        fraction = compared.fractions[-1]
        for number, arm in enumerate(compared.arms):
            points = compared.curve(arm.name, fraction)
            score = compared.mean(arm.name, fraction)
            if len(points) > 1:
                _draw_band(axes, points, arm.name, f"C{number}")
            elif score is not None:
                axes.axhline(score, color=f"C{number}", linestyle="--", label=arm.name)
        for name, score in compared.floors(fraction).items():
            axes.axhline(score, color=BASELINE_COLOR, linestyle=":", label=name)
        axes.set(title=f"validation {compared.metric}, mean and deviation", xlabel="step")

    _save(path, draw)


def draw_efficiency(path: Path, compared: Comparison) -> None:
    """Draw scores on validation over the number of examples of train."""

    def draw(axes: "Axes") -> None:
        for number, arm in enumerate(compared.arms):
            _draw_band(axes, compared.efficiency(arm.name), arm.name, f"C{number}")
        for name, line in compared.floors_by_count().items():
            axes.plot(*zip(*line, strict=True), color=BASELINE_COLOR, linestyle=":", label=name)
        axes.set(
            title=f"validation {compared.metric}, mean and deviation",
            xlabel="examples of train",
            xscale="log",
        )

    _save(path, draw)


def _draw_band(axes: "Axes", points: Sequence[MeanPoint], name: str, color: str) -> None:
    """Draw a line through the means, and a band of a deviation to both sides."""
    places = [point.x for point in points]
    means = np.array([point.mean for point in points])
    reach = np.array([point.deviation for point in points])
    axes.plot(places, means, color=color, marker="o", markersize=4, label=name)
    axes.fill_between(places, means - reach, means + reach, color=color, alpha=0.2, linewidth=0)


def _save(path: Path, draw: "Callable[[Axes], None]") -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=150)
    grid = margins(*SIZE, left=0.7, right=0.15, top=0.4, bottom=0.5)
    axes = figure.subplots(gridspec_kw=grid)
    draw(axes)
    style_axes(figure)
    figure.savefig(path)
