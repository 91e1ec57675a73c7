"""Curves as a drawing: paths, dots and rules in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page.axis import Axis
from pipelines.report.page.wording import plain

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
MAX_POINTS = 400  # of a curve: there are not many more pixels
MAX_DOTS = 30  # more than these would hide the line
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A named line.

    Attributes:
        points: (x, y), in the order of x.
        kind: what it looks like: "train", "validation" or the number of a color.
        notes: what is written beside each point; empty where nothing is.
    """

    name: str
    points: Sequence[Point]
    kind: str
    notes: Sequence[str] = ()


def draw(
    title: str,
    x_label: str,
    curves: Sequence[Curve],
    *,
    chosen: Point | None = None,
    baseline: Any = None,
    is_log: bool = False,
) -> dict[str, Any] | None:
    """Lay out curves; None where there is no point.

    Args:
        chosen: a point to mark.
        baseline: a height to mark.
    """
    points = [point for curve in curves for point in curve.points]
    if not points:
        return None
    rule = float(baseline) if is_number(baseline) else None
    heights = [y for _, y in points] + ([] if rule is None else [rule])
    x_axis = Axis.of([x for x, _ in points], LEFT, WIDTH - RIGHT, is_log=is_log)
    y_axis = Axis.of(heights, HEIGHT - BOTTOM, TOP)
    return {
        "title": title,
        "description": _describe(title, x_label, curves, chosen),
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "bottom": HEIGHT - BOTTOM,
        "x_label": x_label,
        "x_marks": x_axis.marks(),
        "y_marks": y_axis.marks(),
        "curves": [_lay_out(curve, x_axis, y_axis) for curve in curves if curve.points],
        "chosen": chosen and {"x": x_axis.at(chosen[0]), "y": y_axis.at(chosen[1])},
        "baseline": None if rule is None else y_axis.at(rule),
    }


def points_of(entries: Sequence[Any], x: str, y: str) -> list[Point]:
    """Collect the points of the entries that have both numbers, in the order of x."""
    pairs = [(entry.get(x), entry.get(y)) for entry in entries]
    return sorted((float(a), float(b)) for a, b in pairs if is_number(a) and is_number(b))


def _lay_out(curve: Curve, x_axis: Axis, y_axis: Axis) -> dict[str, Any]:
    step = 1 + len(curve.points) // MAX_POINTS
    # the last point is where training ended
    shown = [*curve.points[:-1:step], curve.points[-1]]
    places = [(x_axis.at(x), y_axis.at(y)) for x, y in shown]
    notes = [*curve.notes] if step == 1 else []
    notes += [""] * (len(places) - len(notes))
    return {
        "name": plain(curve.name, 60),
        "kind": curve.kind,
        "path": "M" + " L".join(f"{x:g} {y:g}" for x, y in places),
        "dots": [{"x": x, "y": y, "note": note} for (x, y), note in zip(places, notes, strict=True)]
        if len(places) <= MAX_DOTS
        else [],
    }


def _describe(title: str, x_label: str, curves: Sequence[Curve], chosen: Point | None) -> str:
    """Say what the drawing shows, for those who do not see it."""
    courses = [
        f"{plain(curve.name, 60)} from {curve.points[0][1]:.4g} to {curve.points[-1][1]:.4g}"
        for curve in curves
        if curve.points
    ]
    mark = f"; saved: {chosen[1]:.4g} at {x_label} {chosen[0]:.4g}" if chosen else ""
    return f"{title} over {x_label}: {', '.join(courses)}{mark}"
