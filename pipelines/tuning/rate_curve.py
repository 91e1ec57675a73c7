"""The picture of a range test: loss over learning rate, and the suggested rates."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.report.picture_style import (
    BASELINE_COLOR,
    CHOSEN_COLOR,
    TRAIN_COLOR,
    VALIDATION_COLOR,
    style_axes,
)
from pipelines.tuning.suggestions import RangeTestResult

MARKER: dict[str, Any] = {
    "ms": 9,
    "mfc": "white",
    "mew": 1.8,
    "color": CHOSEN_COLOR,
    "linestyle": "none",
}


def draw(path: Path, result: RangeTestResult, recipe_rate: float | None) -> None:
    """Draw the losses of single steps, their moving average, and the suggestions on it.

    Args:
        recipe_rate: the learning rate in the recipe; None where it has none.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    rates, smoothed = result.rates, result.smoothed
    axes.plot(rates, result.losses, ".", color=TRAIN_COLOR, alpha=0.45, ms=4, label="per step")
    axes.plot(rates, smoothed, color=VALIDATION_COLOR, linewidth=2, label="smoothed")
    if recipe_rate:
        label = f"recipe: {recipe_rate:.1e}"
        axes.axvline(recipe_rate, color=BASELINE_COLOR, linestyle=":", label=label)
    for name, rate, marker in (("valley", result.valley, "o"), ("steep", result.steep, "^")):
        if rate is not None:
            # rates are spaced by a factor: the nearest one is nearest in the logarithm
            height = smoothed[np.abs(np.log(rates / rate)).argmin()]
            label = f"{name}: {rate:.1e}" + (", suggested" if name == "valley" else "")
            axes.plot(rate, height, marker, label=label, zorder=3, **MARKER)
    axes.set(title="loss while the learning rate rises", xlabel="learning rate", xscale="log")
    axes.set_ylim(*_limits(result))
    style_axes(figure)
    figure.savefig(path)


def _limits(result: RangeTestResult) -> tuple[float, float]:
    """Return limits that show the fall of the loss, and as much of the rise."""
    # a diverging loss, many times the first one, would press the fall into a flat line
    smoothed = result.smoothed[np.isfinite(result.smoothed)]
    losses = result.losses[np.isfinite(result.losses)]
    # the percentile leaves out single lucky batches
    first, lowest = smoothed[0], min(smoothed.min(), np.percentile(losses, 1))
    fall = max(first - lowest, 0.05 * abs(first), 1e-6)
    return float(lowest - 0.1 * fall), float(first + fall)
