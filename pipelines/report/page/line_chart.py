"""Curves as a drawing: paths, dots and bands in pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import frame
from pipelines.report.page.axis import Axis
from pipelines.report.page.wording import plain

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 46
MAX_POINTS = 400  # of a curve: there are not many more pixels
MAX_DOTS = 30  # more than these would hide the line
MAX_NAME = 60  # characters
NUM_COLORS = 8
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A named line.

    Attributes:
        points: (x, y), in the order of x.
        kind: what it looks like: "train", "validation", "other" or the number of a color.
        notes: what is written beside each point; empty where nothing is.
        reach: how far a band goes up and down from each point; empty where there is none.
        dash: 0 for a solid line; others are broken, each in a way of its own.
    """

    name: str
    points: Sequence[Point]
    kind: str
    notes: Sequence[str] = ()
    reach: Sequence[float] = ()
    dash: int = 0


@dataclass(frozen=True)
class Level:
    """A height from one side to the other, such as the score of a baseline."""

    name: str
    height: Any
    kind: str = "other"
    dash: int = 1


def draw(
    title: str,
    x_label: str,
    curves: Sequence[Curve],
    *,
    levels: Sequence[Level] = (),
    chosen: Point | None = None,
    is_log: bool = False,
    ticks: Sequence[float] = (),
) -> dict[str, Any] | None:
    """Lay out curves; None where there is no point.

    Args:
        levels: those without a number are left out.
        chosen: a point to mark.
        ticks: of a logarithmic lower axis; powers of ten if there are none.
    """
    points = [point for curve in curves for point in curve.points]
    if not points:
        return None
    levels = [level for level in levels if is_number(level.height)]
    places = [x for x, _ in points]
    x_axis = Axis.of(places, LEFT, WIDTH - RIGHT, is_log=is_log, ticks=ticks)
    y_axis = Axis.of([*_heights(curves, levels)], HEIGHT - BOTTOM, TOP)
    flat = (_as_curve(level, min(places), max(places)) for level in levels)
    drawn = [curve for curve in (*flat, *curves) if curve.points]
    description = _describe(title, x_label, curves, levels, chosen)
    return {
        **frame.lay_out(
            title,
            description,
            (WIDTH, HEIGHT),
            x_axis,
            y_axis=y_axis,
            bottom=HEIGHT - BOTTOM,
            x_label=x_label,
        ),
        "curves": [_lay_out(curve, x_axis, y_axis) for curve in drawn],
        "chosen": chosen and {"x": x_axis.at(chosen[0]), "y": y_axis.at(chosen[1])},
    }


def points_of(entries: Sequence[Any], x: str, y: str) -> list[Point]:
    """Collect the points of the entries that have both numbers, in the order of x."""
    pairs = [(entry.get(x), entry.get(y)) for entry in entries]
    return sorted((float(a), float(b)) for a, b in pairs if is_number(a) and is_number(b))


def _heights(curves: Sequence[Curve], levels: Sequence[Level]) -> Iterator[float]:
    yield from (float(level.height) for level in levels)
    for curve in curves:
        for (_, y), reach in zip(curve.points, _reaches(curve), strict=True):
            yield from (y - reach, y + reach)


def _reaches(curve: Curve) -> Sequence[float]:
    return curve.reach or [0.0] * len(curve.points)


def _as_curve(level: Level, low: float, high: float) -> Curve:
    height = float(level.height)
    return Curve(level.name, [(low, height), (high, height)], level.kind, dash=level.dash)


def _lay_out(curve: Curve, x_axis: Axis, y_axis: Axis) -> dict[str, Any]:
    step = 1 + len(curve.points) // MAX_POINTS
    numbers = [*range(len(curve.points))]
    # the last point is where training ended
    shown = [*numbers[:-1:step], numbers[-1]]
    places = [(x_axis.at(curve.points[i][0]), y_axis.at(curve.points[i][1])) for i in shown]
    notes = [*curve.notes] if step == 1 else []
    notes += [""] * (len(places) - len(notes))
    has_dots = len(places) <= MAX_DOTS and not curve.dash
    pairs = zip(places, notes, strict=True)
    return {
        "name": plain(curve.name, MAX_NAME),
        "kind": curve.kind,
        "dash": curve.dash,
        "path": _path(places),
        "band": _band(curve, shown, x_axis, y_axis) if curve.reach else "",
        "dots": [{"x": x, "y": y, "note": note} for (x, y), note in pairs] if has_dots else [],
    }


def _band(curve: Curve, shown: Sequence[int], x_axis: Axis, y_axis: Axis) -> str:
    """Return the outline of a band: along its upper side, and back along the lower one."""
    points = [(x_axis.at(curve.points[i][0]), curve.points[i][1], curve.reach[i]) for i in shown]
    above = [(x, y_axis.at(y + reach)) for x, y, reach in points]
    below = [(x, y_axis.at(y - reach)) for x, y, reach in reversed(points)]
    return _path([*above, *below]) + " Z"


def _path(places: Sequence[Point]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in places)


def _describe(
    title: str,
    x_label: str,
    curves: Sequence[Curve],
    levels: Sequence[Level],
    chosen: Point | None,
) -> str:
    """Say what the drawing shows, for those who do not see it."""
    courses = [
        f"{plain(curve.name, MAX_NAME)} from {curve.points[0][1]:.4g} to {curve.points[-1][1]:.4g}"
        for curve in curves
        if curve.points
    ]
    courses += [f"{plain(level.name, MAX_NAME)} {level.height:.4g}" for level in levels]
    mark = f"; saved: {chosen[1]:.4g} at {x_label} {chosen[0]:.4g}" if chosen else ""
    return f"{title} over {x_label}: {', '.join(courses)}{mark}"
