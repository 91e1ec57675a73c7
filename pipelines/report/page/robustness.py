"""How far the score falls where inputs are worse."""

from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import line_chart, wording
from pipelines.report.page.line_chart import Curve
from pipelines.report.page.run_files import RunFiles

TITLE = "Robustness"


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the scores by corruption and severity, and the course of their mean."""
    measured = files.metrics.get("robustness")
    if not measured:
        return None
    metric, means = wording.metric(measured["metric"]), measured["by_severity"]
    points = [(0.0, float(measured["clean"])), *((i + 1.0, float(m)) for i, m in enumerate(means))]
    curve = Curve("mean of all corruptions", points, "validation")
    kinds = [*measured["kinds"].items(), ("mean", means)]
    return {
        "metric": metric,
        "split": wording.plain(measured["split"], 40),
        "num_rows": wording.count(measured["rows"]),
        "clean": wording.score(measured["clean"]),
        "severities": [*range(1, len(means) + 1)],
        "rows": [_row(name, scores) for name, scores in kinds],
        "chart": line_chart.draw(f"{metric} under corruptions", "severity", [curve]),
    }


def _row(name: str, scores: list[Any]) -> dict[str, Any]:
    numbers = [score for score in scores if is_number(score)]
    mean = sum(numbers) / len(numbers) if numbers else None
    return {
        "name": wording.plain(name, 40).replace("_", " "),
        "cells": [wording.score(score) for score in (*scores, mean)],
    }
