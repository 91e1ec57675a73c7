"""The reliability diagram: how often a model is right when it is this sure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.evaluation.calibration.calibrated import Calibrated
from pipelines.evaluation.calibration.reliability import BINS, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACCURACY, OVER, UNDER = "#0b6fa4", "#e39aa4", "#8fc1dd"
COLOURS = {ACCURACY: "right, and sure", OVER: "sure, and not right", UNDER: "right, and not sure"}
PERFECT, COUNT = "#5c5c5c", "#8c8c8c"
EDGES = np.arange(BINS) / BINS
BAR: dict[str, Any] = {"width": 1 / BINS, "align": "edge", "edgecolor": "white"}


def draw(path: Path, found: Calibrated) -> None:
    """Accuracy over confidence above, how many decisions are as confident below; before and after.

    Without a temperature there is one such picture. All of it is of the split that fitted nothing,
    where there is one.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    split = found.judge
    drawn = {"as trained": found.before[split]}
    if found.temperature is not None:
        drawn[f"temperature {found.temperature:.3g}"] = found.after[split]
    figure = Figure(figsize=(4.2 * len(drawn), 5.2), dpi=150, layout="constrained")
    rows = figure.subplots(
        2, len(drawn), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 1)
    )
    for column, (title, reliability) in zip(rows.T, drawn.items(), strict=True):
        _bars(column[0], reliability)
        _counts(column[1], reliability)
        column[0].set_title(
            f"{title}\nECE {reliability.ece:.3f}   NLL {reliability.nll:.3f}", fontsize="medium"
        )
    fitted = ", where the temperature was fitted" if found.temperature and split != "test" else ""
    number = found.after[split].counts.sum()
    figure.suptitle(f"{split}: {number:,} decisions{fitted}", fontsize="medium")
    rows[0, 0].set_ylabel("accuracy")
    rows[1, 0].set_ylabel("decisions")
    told = [Patch(color=color, label=label) for color, label in COLOURS.items()]
    rows[0, 0].legend(handles=told, frameon=False, fontsize="small", loc="upper left")
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e6e6")
        axes.set_axisbelow(True)
    figure.savefig(path)


def _bars(axes: "Axes", found: Reliability) -> None:
    """The share that is right, and how far the mean confidence of the bin is above or below."""
    right, sure = found.accuracy, found.confidence
    there = found.counts > 0
    axes.bar(EDGES[there], right[there], color=ACCURACY, **BAR)
    for low, high, color in ((right, sure, OVER), (sure, right, UNDER)):
        gap = low < high
        axes.bar(EDGES[gap], (high - low)[gap], bottom=low[gap], color=color, **BAR)
    axes.plot([0, 1], [0, 1], color=PERFECT, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _counts(axes: "Axes", found: Reliability) -> None:
    """How many decisions stand behind each bar."""
    there = found.counts > 0
    counts = found.counts[there]
    bars = axes.bar(EDGES[there], counts, color=COUNT, **BAR)
    axes.bar_label(bars, [f"{n:,}" for n in counts], fontsize=5.5, color=PERFECT, padding=1)
    axes.margins(y=0.15)
    axes.set(xlabel="confidence")
