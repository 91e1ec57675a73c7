"""Numbers and texts as the page writes them."""

import re
from collections.abc import Mapping
from typing import Any

from pipelines.report.evidence import is_number

NONE = "\N{EN DASH}"  # where there is no number
# what no page may hold as text, and what would turn the order of the letters around it
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
METRICS = {"f1": "F1", "mse": "MSE", "mae": "MAE", "mape": "MAPE", "r2": "R²", "wer": "WER"}


def score(value: Any) -> str:
    """Write a score with four digits."""
    return f"{value:,.4f}" if is_number(value) else NONE


def interval(bounds: Mapping[str, Any] | None) -> str:
    """Write the bounds of an interval; empty where there is none."""
    if not bounds or not is_number(bounds.get("low")) or not is_number(bounds.get("high")):
        return ""
    return f"{score(bounds['low'])} to {score(bounds['high'])}"


def percent(value: Any) -> str:
    """Write a share."""
    return f"{value:.1%}" if is_number(value) else NONE


def number(value: float) -> str:
    """Write a length or a value with four digits, and large ones as whole numbers."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def count(value: Any) -> str:
    """Write a whole number."""
    return f"{value:,}" if isinstance(value, int) else NONE


def plain(text: Any, max_characters: int) -> str:
    """Return at most so many characters, without those that cannot stand on a page."""
    shown = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(text)[: max_characters + 1])
    return shown if len(shown) <= max_characters else f"{shown[:max_characters]}…"


def value(content: Any, max_characters: int = 120) -> str:
    """Write what was predicted: a name, several of them, or a number."""
    if content is None:
        return NONE
    if isinstance(content, list):
        names = [plain(each, max_characters) for each in content]
        return plain(", ".join(names) or "none", 3 * max_characters)
    if isinstance(content, float):
        return number(content)
    return plain(content, max_characters)


def metric(name: str) -> str:
    """Write the name of a metric as people do."""
    return METRICS.get(name, plain(name, 60).replace("_", " "))
