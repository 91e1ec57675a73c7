"""The learning curve: what was logged on the way, and what was kept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.evidence import Evidence, is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VALIDATION, KEPT, FLOOR = "#8c8c8c", "#0b6fa4", "#d1495b", "#5c5c5c"
Entry = Mapping[str, Any]


def draw(path: Path, evidence: Evidence) -> None:
    """Loss and validation score over epochs; for a solver's trials, score over its strength.

    The picture object is used without pyplot, which would keep it, and might open a window.
    """
    from matplotlib.figure import Figure

    stepwise = any("step" in entry for entry in evidence.history)
    figure = Figure(figsize=(9, 3.6) if stepwise else (5.4, 3.6), dpi=150, layout="constrained")
    if stepwise:
        losses, scores = figure.subplots(1, 2, sharex=True)
        _losses(losses, evidence.history)
        _scores(scores, evidence)
    else:
        scores = figure.subplots()
        _trials(scores, evidence)
    settle(figure)
    figure.savefig(path)


def settle(figure: "Figure") -> None:
    """The look that all pictures share, once everything is drawn."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e6e6")
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize="small")


def _losses(axes: "Axes", history: Iterable[Entry]) -> None:
    for key, name, color in (("loss", "train", TRAIN), ("eval_loss", "validation", VALIDATION)):
        epochs, values = _series(history, "epoch", key)
        axes.plot(epochs, values, color=color, marker=_marker(values), label=name)
    axes.set(title="loss", xlabel="epoch")


def _scores(axes: "Axes", evidence: Evidence) -> None:
    key = f"eval_{evidence.main_metric}"
    epochs, values = _series(evidence.history, "epoch", key)
    axes.plot(epochs, values, color=VALIDATION, marker=_marker(values), label="validation")
    _mark_kept(axes, evidence, "epoch", key)
    _mark_floor(axes, evidence)
    axes.set(title=evidence.main_metric, xlabel="epoch")


def _trials(axes: "Axes", evidence: Evidence) -> None:
    """A line for each value of what is said in words (`pooling`), over what is a number (`C`)."""
    key = f"validation_{evidence.main_metric}"
    trials = [entry for entry in evidence.history if is_number(entry.get(key))]
    if not trials:
        return
    strength = next(name for name, value in trials[0].items() if name != key and is_number(value))
    lines: dict[str, list[Entry]] = {}
    for trial in trials:
        words = (str(v) for name, v in trial.items() if name not in (key, strength))
        lines.setdefault(" ".join(words), []).append(trial)
    for name, line in lines.items():
        axes.plot(*_series(line, strength, key), marker="o", markersize=4, label=name)
    _mark_kept(axes, evidence, strength, key)
    _mark_floor(axes, evidence)
    axes.set(title=f"validation {evidence.main_metric}", xlabel=strength, xscale="log")


def _series(history: Iterable[Entry], x: str, y: str) -> tuple[list[float], list[float]]:
    points = sorted((entry[x], entry[y]) for entry in history if is_number(entry.get(y)))
    return [point[0] for point in points], [point[1] for point in points]


def _mark_kept(axes: "Axes", evidence: Evidence, x: str, y: str) -> None:
    kept = evidence.kept(y)
    if kept:
        label = f"kept: {kept[y]:.4f} at {x} {kept[x]:g}"
        axes.plot(kept[x], kept[y], "o", ms=11, mfc="none", mew=1.8, color=KEPT, label=label)


def _mark_floor(axes: "Axes", evidence: Evidence) -> None:
    floors = evidence.baseline.get("validation", {})
    if is_number(floors.get(evidence.main_metric)):
        axes.axhline(floors[evidence.main_metric], color=FLOOR, linestyle=":", label="baseline")


def _marker(values: list[float]) -> str | None:
    """A dot for each point while there are few; a single point would be invisible without."""
    return "o" if len(values) <= 12 else None
