"""Scores with their intervals below each other, as dots with whiskers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import frame, wording
from pipelines.report.page.axis import Axis

WIDTH, ROW_HEIGHT, BOTTOM = 480, 48, 26
LEFT, RIGHT = 10, 10
TEXT_Y, DOT_Y = 16, 33  # of a row: name and score above, dot and whiskers below


@dataclass(frozen=True)
class Whisker:
    """A score.

    Attributes:
        name: whose it is.
        value: the score.
        bounds: its interval, as `{"low": …, "high": …}`; None where there is none.
        kind: "own" for the model itself, "other" for what it is compared with.
        text: how the score is written; empty for four digits and the interval.
    """

    name: str
    value: Any
    bounds: Mapping[str, Any] | None = None
    kind: str = "own"
    text: str = ""


def draw(title: str, rows: Sequence[Whisker], mark: float | None = None) -> dict[str, Any] | None:
    """Lay out the rows that have a score; None where none has.

    Args:
        mark: a score to draw a line at.
    """
    shown = [row for row in rows if is_number(row.value)]
    if not shown:
        return None
    scores = [number for row in shown for number in _numbers(row)]
    marks = [] if mark is None else [mark]
    axis = Axis.of([*scores, *marks], LEFT, WIDTH - RIGHT)
    texts = [f"{wording.plain(row.name, 60)} {_text(row)}" for row in shown]
    height = ROW_HEIGHT * len(shown)
    description = f"{title}: {'; '.join(texts)}"
    return {
        **frame.lay_out(title, description, (WIDTH, height + BOTTOM), axis, bottom=height),
        "marks": [axis.at(mark) for mark in marks],
        "rows": [_lay_out(row, axis, number) for number, row in enumerate(shown)],
    }


def _lay_out(row: Whisker, axis: Axis, number: int) -> dict[str, Any]:
    places = [axis.at(number) for number in _numbers(row)]
    return {
        "name": wording.plain(row.name, 34),
        "kind": row.kind,
        "text": _text(row),
        "text_y": ROW_HEIGHT * number + TEXT_Y,
        "y": ROW_HEIGHT * number + DOT_Y,
        "x": axis.at(float(row.value)),
        "low": min(places),
        "high": max(places),
        "has_interval": bool(wording.interval(row.bounds)),
    }


def _numbers(row: Whisker) -> list[float]:
    bounds = row.bounds if row.bounds and wording.interval(row.bounds) else {}
    return [float(row.value), *(float(bounds[key]) for key in ("low", "high") if bounds)]


def _text(row: Whisker) -> str:
    if row.text:
        return row.text
    interval = wording.interval(row.bounds)
    return f"{wording.score(row.value)} ({interval})" if interval else wording.score(row.value)
