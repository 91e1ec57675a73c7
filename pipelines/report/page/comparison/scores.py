"""The table: mean, spread, paired difference, and what each arm took."""

from typing import Any

from pipelines.evaluation.compared import ComparedArm
from pipelines.report import comparison_text
from pipelines.report.page import interval_chart, wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles
from pipelines.report.page.interval_chart import Whisker

TITLE = "Scores"
MAX_NAME = 80


def view(files: ComparisonFiles) -> dict[str, Any]:
    """Return a table and two drawings for each share of train, the largest first."""
    parts = [_part(files, fraction) for fraction in reversed(files.compared.fractions)]
    return {"parts": parts, "test": any(run.test is not None for run in files.compared.runs)}


def _part(files: ComparisonFiles, fraction: float) -> dict[str, Any]:
    header, *rows = comparison_text.table(files.compared, fraction)
    best = files.compared.best(fraction)
    charts = (_scores(files, fraction), _differences(files, fraction))
    share = files.share(fraction)
    return {
        "share": share,
        "label": f"Scores of all variants{f' on {share}' if share else ''}",
        "charts": [chart for chart in charts if chart],
        "header": ["", files.metric, *header[2:]],
        "rows": [_row(cells, best) for cells in rows],
    }


def _row(cells: list[str], best: str | None) -> dict[str, Any]:
    name, *numbers = cells
    return {
        "name": wording.plain(name, MAX_NAME),
        "is_best": name == best,
        "cells": [wording.plain(number, 60) for number in numbers],
    }


def _scores(files: ComparisonFiles, fraction: float) -> dict[str, Any] | None:
    """Draw means with a deviation to both sides, and what is simpler."""
    compared = files.compared
    rows = []
    for arm in compared.arms:
        mean, deviation = compared.mean(arm.name, fraction), compared.deviation(arm.name, fraction)
        bounds = None
        text = wording.score(mean)
        if mean is not None and deviation is not None:
            bounds = {"low": mean - deviation, "high": mean + deviation}
            text += f" ± {wording.score(deviation)}"
        rows.append(Whisker(arm.name, mean, bounds, text=text))
    rows += [Whisker(n, score, kind="other") for n, score in compared.floors(fraction).items()]
    return interval_chart.draw(f"{files.metric} on validation, ± a deviation over seeds", rows)


def _differences(files: ComparisonFiles, fraction: float) -> dict[str, Any] | None:
    """Draw how much better each arm is than its reference, with intervals."""
    rows = [_difference(files, arm, fraction) for arm in files.compared.arms if arm.reference]
    references = {arm.reference for arm in files.compared.arms if arm.reference}
    name = f" than {wording.plain(references.pop(), 40)}" if len(references) == 1 else ""
    return interval_chart.draw(f"better{name} by, with intervals of 95 %", rows, mark=0.0)


def _difference(files: ComparisonFiles, arm: ComparedArm, fraction: float) -> Whisker:
    difference = files.compared.difference(arm.name, str(arm.reference), fraction)
    if difference is None:
        return Whisker(arm.name, None)
    bounds = difference.interval
    shown = {"low": bounds[0], "high": bounds[1]} if bounds else None
    text = comparison_text.difference_of(difference)
    return Whisker(arm.name, difference.paired.mean, shown, text=text)
