"""The curve of WiSE-FT: what each point between probe and fine-tuned weights gains and loses.

Validation against rows that are unlike train, as in the paper's figure 1 (arXiv 2109.01903).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.evidence import Evidence, is_number
from pipelines.report.picture_style import CHOSEN_COLOR, VALIDATION_COLOR, margins, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# what rows are scored beside validation, as the axis names them
AXES = {
    "corrupted": "validation, corrupted (severity 3)",
    "target": "target (its labels choose nothing)",
}
Point = Mapping[str, Any]


def points(evidence: Evidence) -> Iterator[Point]:
    """Yield the entries of the history that are points on the line."""
    yield from (entry for entry in evidence.history if "alpha" in entry)


def shifted_keys(evidence: Evidence) -> dict[str, str]:
    """Return name -> key of the scores that points have beside that of validation."""
    keys = {name: f"{name}_{evidence.main_metric}" for name in AXES}
    first = next(points(evidence), {})
    return {name: key for name, key in keys.items() if key in first}


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line for each kind of rows: the score at both ends and where validation chose."""
    tried, alpha = [*points(evidence)], evidence.chosen.get("alpha")
    chosen = next((point for point in tried if point["alpha"] == alpha), None)
    for name, key in shifted_keys(evidence).items():
        if chosen:
            yield (
                f"wise_ft: {name} {evidence.main_metric} {tried[0][key]:.4f} for the probe, "
                f"{tried[-1][key]:.4f} fine-tuned, {chosen[key]:.4f} at alpha {alpha:g}, which "
                "validation chose (wise_ft.png)"
            )


def draw(path: Path, evidence: Evidence) -> None:
    """Draw a curve for each kind of rows, with the alpha of its points beside them."""
    from matplotlib.figure import Figure

    keys = shifted_keys(evidence)
    size = 4.6 * len(keys), 4.2
    figure = Figure(figsize=size, dpi=150)
    edges = margins(*size, left=0.8, right=0.2, top=0.4, bottom=0.6)
    columns = figure.subplots(1, len(keys), squeeze=False, gridspec_kw={**edges, "wspace": 0.3})
    for axes, (name, key) in zip(columns[0], keys.items(), strict=True):
        _draw_curve(axes, evidence, key)
        metric = evidence.main_metric
        axes.set(title=f"WiSE-FT: {metric}", xlabel="validation", ylabel=AXES[name])
    style_axes(figure)
    figure.savefig(path)


def _draw_curve(axes: "Axes", evidence: Evidence, key: str) -> None:
    x = f"validation_{evidence.main_metric}"
    shown = [p for p in points(evidence) if is_number(p.get(x)) and is_number(p.get(key))]
    axes.plot([p[x] for p in shown], [p[key] for p in shown], "o-", color=VALIDATION_COLOR, ms=4)
    for point in shown:
        place: dict[str, Any] = {
            "xytext": (4, 4),
            "textcoords": "offset points",
            "fontsize": "x-small",
        }
        axes.annotate(f"{point['alpha']:g}", (point[x], point[key]), **place)
    ring: dict[str, Any] = {"ms": 11, "mfc": "none", "mew": 1.8, "color": CHOSEN_COLOR}
    for point in shown:
        if point["alpha"] == evidence.chosen.get("alpha"):
            label = f"chosen on validation: {point['alpha']:g}"
            axes.plot(point[x], point[key], "o", label=label, **ring)
