"""The reliability diagram: how often a model is right at each level of confidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.evaluation.calibration.reliability import NUM_BINS, Reliability
from pipelines.evaluation.calibration.result import CalibrationResult
from pipelines.report.picture_style import margins, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

JUSTIFIED_COLOR, OVERCONFIDENT_COLOR, UNDERCONFIDENT_COLOR = "#0b6fa4", "#e39aa4", "#8fc1dd"
LEGEND = {
    JUSTIFIED_COLOR: "justified confidence",
    OVERCONFIDENT_COLOR: "overconfident",
    UNDERCONFIDENT_COLOR: "underconfident",
}
DIAGONAL_COLOR, COUNT_COLOR = "#5c5c5c", "#8c8c8c"
EDGES = np.arange(NUM_BINS) / NUM_BINS
BAR: dict[str, Any] = {"width": 1 / NUM_BINS, "align": "edge", "edgecolor": "white"}


def draw(path: Path, calibrated: CalibrationResult) -> None:
    """Draw accuracy over confidence above, the number of decisions below; before and after.

    Without a temperature there is one column. The split is the one that fitted nothing, if there
    is one: a temperature looks too good on the rows that it was fitted on.
    """
    from matplotlib.figure import Figure

    split, temperature = calibrated.reported_split, calibrated.temperature
    columns = {"as trained": calibrated.before[split]}
    if temperature is not None:
        columns[f"temperature {temperature:.3g}"] = calibrated.after[split]
    size = 4.2 * len(columns), 5.2
    figure = Figure(figsize=size, dpi=150)
    edges = margins(*size, left=0.8, right=0.2, top=0.85, bottom=0.5)
    rows = figure.subplots(
        2,
        len(columns),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=(3, 1),
        gridspec_kw={**edges, "hspace": 0.1, "wspace": 0.12},
    )
    for axes, (title, reliability) in zip(rows.T, columns.items(), strict=True):
        _draw_bars(axes[0], reliability)
        _draw_counts(axes[1], reliability)
        numbers = f"ECE {reliability.ece:.3f}   NLL {reliability.nll:.3f}"
        axes[0].set_title(f"{title}\n{numbers}", fontsize="medium")
    fitted = ", where the temperature was fitted" if temperature and split != "test" else ""
    num_decisions = calibrated.after[split].counts.sum()
    figure.suptitle(f"{split}: {num_decisions:,} decisions{fitted}", fontsize="medium")
    rows[0, 0].set_ylabel("accuracy")
    rows[1, 0].set_ylabel("decisions")
    _add_legend(rows[0, 0])
    style_axes(figure)
    figure.savefig(path)


def _draw_bars(axes: "Axes", reliability: Reliability) -> None:
    """Draw the accuracy of each bin, and its distance from the mean confidence of the bin."""
    accuracy, confidence = reliability.accuracy, reliability.confidence
    filled = reliability.counts > 0
    # where accuracy is higher than confidence, the second bar covers the upper part of this one
    axes.bar(EDGES[filled], accuracy[filled], color=JUSTIFIED_COLOR, **BAR)
    for low, high, color in (
        (accuracy, confidence, OVERCONFIDENT_COLOR),
        (confidence, accuracy, UNDERCONFIDENT_COLOR),
    ):
        gap = low < high
        axes.bar(EDGES[gap], (high - low)[gap], bottom=low[gap], color=color, **BAR)
    axes.plot([0, 1], [0, 1], color=DIAGONAL_COLOR, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _draw_counts(axes: "Axes", reliability: Reliability) -> None:
    """Draw the number of decisions behind each bar."""
    filled = reliability.counts > 0
    counts = reliability.counts[filled]
    bars = axes.bar(EDGES[filled], counts, color=COUNT_COLOR, **BAR)
    labels = [f"{count:,}" for count in counts]
    axes.bar_label(bars, labels, fontsize=5.5, color=DIAGONAL_COLOR, padding=1)
    axes.margins(y=0.15)
    axes.set(xlabel="confidence")


def _add_legend(axes: "Axes") -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=color, label=label) for color, label in LEGEND.items()]
    axes.legend(handles=patches, frameon=False, fontsize="small", loc="upper left")
