"""The learning curve: what was logged during training, and the weights that were saved."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.evidence import Evidence, is_number
from pipelines.report.picture_style import (
    BASELINE_COLOR,
    CHOSEN_COLOR,
    TRAIN_COLOR,
    VALIDATION_COLOR,
    margins,
    style_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_MARKED_POINTS = 12  # markers on more points than this would hide the line
Entry = Mapping[str, Any]


def draw(path: Path, evidence: Evidence) -> None:
    """Draw loss and validation score over epochs or, for a solver, score over its hyperparameter.

    pyplot is avoided: it would hold on to the figure, and might open a window.
    """
    from matplotlib.figure import Figure

    # a solver has trials instead of steps
    stepwise = any("step" in entry for entry in evidence.history)
    size = (9, 3.6) if stepwise else (5.4, 3.6)
    figure = Figure(figsize=size, dpi=150)
    grid = {**margins(*size, left=0.7, right=0.15, top=0.4, bottom=0.5), "wspace": 0.2}
    if stepwise:
        losses, scores = figure.subplots(1, 2, sharex=True, gridspec_kw=grid)
        _draw_losses(losses, evidence.history)
        _draw_scores(scores, evidence)
    else:
        scores = figure.subplots(gridspec_kw=grid)
        _draw_trials(scores, evidence)
    style_axes(figure)
    figure.savefig(path)


def _draw_losses(axes: "Axes", history: Iterable[Entry]) -> None:
    curves = (("loss", "train", TRAIN_COLOR), ("eval_loss", "validation", VALIDATION_COLOR))
    for key, name, color in curves:
        epochs, values = _series(history, "epoch", key)
        axes.plot(epochs, values, color=color, marker=_marker(values), label=name)
    axes.set(title="loss", xlabel="epoch")


def _draw_scores(axes: "Axes", evidence: Evidence) -> None:
    key = f"eval_{evidence.main_metric}"
    epochs, values = _series(evidence.history, "epoch", key)
    axes.plot(epochs, values, color=VALIDATION_COLOR, marker=_marker(values), label="validation")
    _mark_chosen(axes, evidence, "epoch", key)
    _mark_baseline(axes, evidence)
    axes.set(title=evidence.main_metric, xlabel="epoch")


def _draw_trials(axes: "Axes", evidence: Evidence) -> None:
    """Draw a line for each combination of categorical settings (`pooling`), over a number (`C`)."""
    key = f"validation_{evidence.main_metric}"
    trials = [entry for entry in evidence.history if is_number(entry.get(key))]
    if not trials:
        return
    number = next(name for name, value in trials[0].items() if name != key and is_number(value))
    lines: dict[str, list[Entry]] = {}
    for trial in trials:
        settings = (str(value) for name, value in trial.items() if name not in (key, number))
        lines.setdefault(" ".join(settings), []).append(trial)
    for name, line in lines.items():
        axes.plot(*_series(line, number, key), marker="o", markersize=4, label=name)
    _mark_chosen(axes, evidence, number, key)
    _mark_baseline(axes, evidence)
    # regularization strengths are tried by powers of ten
    axes.set(title=f"validation {evidence.main_metric}", xlabel=number, xscale="log")


def _series(history: Iterable[Entry], x: str, y: str) -> tuple[list[float], list[float]]:
    # the Trainer logs losses and evaluations as separate entries
    points = sorted((entry[x], entry[y]) for entry in history if is_number(entry.get(y)))
    return [point[0] for point in points], [point[1] for point in points]


def _mark_chosen(axes: "Axes", evidence: Evidence, x: str, y: str) -> None:
    entry = evidence.chosen_entry(y)
    if entry:
        label = f"chosen: {entry[y]:.4f} at {x} {entry[x]:g}"
        ring: dict[str, Any] = {"ms": 11, "mfc": "none", "mew": 1.8, "color": CHOSEN_COLOR}
        axes.plot(entry[x], entry[y], "o", label=label, **ring)


def _mark_baseline(axes: "Axes", evidence: Evidence) -> None:
    score = evidence.baseline.get("validation", {}).get(evidence.main_metric)
    if score is not None and is_number(score):
        axes.axhline(score, color=BASELINE_COLOR, linestyle=":", label="baseline")


def _marker(values: list[float]) -> str | None:
    # a line through a single point would be invisible without a marker
    return "o" if len(values) <= MAX_MARKED_POINTS else None
