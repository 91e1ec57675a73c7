"""Rows of the predictions as a person reads them: input, label, prediction, confidence."""

from collections.abc import Sequence
from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.media import Media
from pipelines.report.page.prediction_table import PredictionTable

MAX_SCORES = 3


def read(
    table: PredictionTable, positions: Sequence[int], media: Media, max_characters: int
) -> list[dict[str, Any]]:
    """Read rows and their pictures or clips; an input is cut after so many characters."""
    if not positions:
        return []
    pairs = zip(positions, table.rows(positions), strict=True)
    return [_row(row, media.of(position), table.labels, max_characters) for position, row in pairs]


def _row(
    row: dict[str, Any], shown: dict[str, Any] | None, labels: Sequence[str], max_characters: int
) -> dict[str, Any]:
    number = wording.value(row.get("row"))
    label, predicted = (wording.value(row.get(key)) for key in ("label", "prediction"))
    name = _base_name(row["id"]) if row.get("id") is not None else number
    text = row.get("input")
    return {
        "number": number,
        "name": ""
        if name == number
        else wording.plain(f"id {name}" if name.isdecimal() else name, 120),
        # beside its picture, the path of a file says nothing
        "text": "" if shown or text is None else wording.plain(_base_name(text), max_characters),
        "media": shown,
        "alt": f"row {number}: labeled {label}, predicted {predicted}",
        "label": label,
        "prediction": predicted,
        "confidence": _percent(row.get("confidence")),
        "loss": wording.score(row["loss"]) if is_number(row.get("loss")) else "",
        "scores": _scores(row.get("scores"), labels),
    }


def _scores(scores: Any, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the highest scores that are probabilities, with their names."""
    if not isinstance(scores, list) or len(scores) != len(labels):
        return []
    numbers = [score if is_number(score) else 0.0 for score in scores]
    if not all(0 <= number <= 1 for number in numbers):
        return []
    ranked = sorted(zip(numbers, labels, strict=True), key=lambda pair: -pair[0])
    return [
        {
            "name": wording.plain(name, 60),
            "text": wording.percent(number),
            "width": round(100 * number, 1),
        }
        for number, name in ranked[:MAX_SCORES]
    ]


def _percent(confidence: Any) -> str:
    return wording.percent(confidence) if is_number(confidence) else ""


def _base_name(text: Any) -> str:
    """Return the last part of a path from the root: where folders lie is nobody's business."""
    words = str(text)
    is_path = words.startswith("/") and not any(sign in words for sign in "\n\t ")
    return words.rstrip("/").rpartition("/")[2] if is_path else words
