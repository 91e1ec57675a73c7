"""Forgetting as a picture: a probe before and after, and how far weights moved at each depth."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.evaluation.forgetting import Forgetting
from pipelines.report.picture_style import (
    BASELINE_COLOR,
    TRAIN_COLOR,
    VALIDATION_COLOR,
    margins,
    style_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(path: Path, measured: Forgetting) -> None:
    """Draw accuracy before and after, and the distance of weights where it was measured."""
    from matplotlib.figure import Figure

    num_columns = 2 if measured.distances else 1
    size = 4.6 * num_columns, 3.6
    figure = Figure(figsize=size, dpi=150)
    edges = {**margins(*size, left=0.8, right=0.2, top=0.4, bottom=1.1), "wspace": 0.3}
    columns = figure.subplots(1, num_columns, squeeze=False, gridspec_kw=edges)[0]
    _draw_probe(columns[0], measured)
    if measured.distances:
        _draw_distances(columns[1], measured)
    style_axes(figure)
    figure.savefig(path)


def _draw_probe(axes: "Axes", measured: Forgetting) -> None:
    heights = [measured.before, measured.after]
    bars = axes.bar(["before", "after"], heights, color=[TRAIN_COLOR, VALIDATION_COLOR], width=0.5)
    axes.bar_label(bars, [f"{height:.3f}" for height in heights], fontsize="small", padding=2)
    axes.axhline(
        measured.most_frequent, color=BASELINE_COLOR, linestyle=":", label="most frequent class"
    )
    # a name comes from a file system: a dollar sign in it would be read as mathematics
    name = measured.name.replace("$", r"\$")
    axes.set(title=f"probe on {name}, {measured.num_rows:,} rows", ylim=(0, 1.1))


def _draw_distances(axes: "Axes", measured: Forgetting) -> None:
    axes.bar([*measured.distances], [*measured.distances.values()], color=VALIDATION_COLOR)
    axes.set(title="distance of weights, relative")
    for label in axes.get_xticklabels():
        label.set(rotation=40, ha="right", fontsize="small")
