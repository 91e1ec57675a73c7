"""The picture of a range test: loss over learning rate, and what is suggested."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.report.curve import FLOOR, KEPT, TRAIN, VALIDATION, settle

if TYPE_CHECKING:
    from pipelines.tuning.lr_find import Found

LOOK: dict[str, Any] = {"ms": 9, "mfc": "white", "mew": 1.8, "color": KEPT, "linestyle": "none"}


def draw(path: Path, found: "Found", own: float | None) -> None:
    """Losses of single steps, their average, and the suggestions on it.

    Args:
        own: the recipe's rate.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, ".", color=TRAIN, alpha=0.45, ms=4, label="of a step")
    axes.plot(found.rates, found.smoothed, color=VALIDATION, linewidth=2, label="smoothed")
    if own:
        axes.axvline(own, color=FLOOR, linestyle=":", label=f"recipe: {own:.1e}")
    for name, rate, marker in (("valley", found.valley, "o"), ("steep", found.steep, "^")):
        if rate is not None:
            height = found.smoothed[np.abs(np.log(found.rates / rate)).argmin()]
            said = f"{name}: {rate:.1e}" + (", suggested" if name == "valley" else "")
            axes.plot(rate, height, marker, label=said, zorder=3, **LOOK)
    axes.set(title="loss while the learning rate rises", xlabel="learning rate", xscale="log")
    axes.set_ylim(*_limits(found))
    settle(figure)
    figure.savefig(path)


def _limits(found: "Found") -> tuple[float, float]:
    """What is worth seeing: the fall, and as much of the rise; divergence is cut off."""
    smoothed = found.smoothed[np.isfinite(found.smoothed)]
    losses = found.losses[np.isfinite(found.losses)]
    first, lowest = smoothed[0], min(smoothed.min(), np.percentile(losses, 1))
    reach = max(first - lowest, 0.05 * abs(first), 1e-6)
    return float(lowest - 0.1 * reach), float(first + reach)
