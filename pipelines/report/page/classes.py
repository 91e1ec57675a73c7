"""Precision, recall and F1 of each class, the worst first."""

from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import wording
from pipelines.report.page.run_files import RunFiles

TITLE = "Each class"
MAX_CLASSES = 200
COLUMNS = ("precision", "recall", "f1")


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return a row for each class."""
    classes = files.evidence.get("per_class") or []
    if not classes:
        return None
    # a class that no example has comes last: there is nothing to see in it
    ranked = sorted(classes, key=lambda each: (not each.get("count"), _f1(each)))
    return {
        "split": files.split_name,
        "rows": [_row(each) for each in ranked[:MAX_CLASSES]],
        "num_more": max(0, len(ranked) - MAX_CLASSES),
    }


def _f1(scores: dict[str, Any]) -> float:
    f1 = scores.get("f1")
    return float(f1) if is_number(f1) and f1 is not None else 0.0


def _row(scores: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": wording.plain(scores.get("label"), 60),
        "count": wording.count(scores.get("count")),
        "cells": [wording.score(scores.get(column)) for column in COLUMNS],
        "width": round(100 * _f1(scores), 1),
    }
