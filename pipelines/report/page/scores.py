"""All scores, with their intervals, beside those of what is simpler."""

from collections.abc import Iterator
from typing import Any

from pipelines.report import oracle_text
from pipelines.report.evidence import is_number
from pipelines.report.page import interval_chart, wording
from pipelines.report.page.interval_chart import Whisker
from pipelines.report.page.run_files import RunFiles

TITLE = "Scores"
OTHERS = ("simple_model", "zero_shot")
Column = dict[str, Any]


def view(files: RunFiles) -> dict[str, Any]:
    """Return a table of all metrics, and a drawing of the one that chose the model."""
    metrics, main = files.metrics, files.metrics["main_metric"]
    columns = [*_columns(files)]
    rows = [
        Whisker(
            column["name"], column["scores"].get(main), column["bounds"].get(main), column["kind"]
        )
        for column in columns
    ]
    methods = {
        str(each.get("method", "")) for column in columns for each in column["bounds"].values()
    }
    return {
        "header": [column["name"] for column in columns],
        "rows": [
            {"name": wording.metric(name), "is_main": name == main, "cells": _cells(name, columns)}
            for name in metrics["validation"]
            if _is_shown(name, columns)
        ],
        "chart": interval_chart.draw(wording.metric(main), rows),
        "methods": sorted(wording.plain(method, 80) for method in methods - {""}),
        "folds": _folds(files),
        "notes": [*_notes(files)],
        "test": "test" in {column["key"] for column in columns},
    }


def _columns(files: RunFiles) -> Iterator[Column]:
    """Yield what has scores: the splits, then what is simpler on the reported one."""
    metrics = files.metrics
    for split in ("validation", "test", "target"):
        if metrics.get(split):
            bounds = files.intervals(split)
            yield _column(files.name_of(split), metrics[split], bounds, "own", split)
    baseline = (metrics.get("baseline") or {}).get(files.split)
    if baseline:
        yield _column(f"baseline ({files.split})", baseline)
    for key in OTHERS:
        other = metrics.get(key) or {}
        if other.get(files.split):
            name = f"{wording.plain(other['name'], 40)} ({files.split})"
            yield _column(name, other[files.split])


def _column(
    name: str, scores: Column, bounds: Column | None = None, kind: str = "other", key: str = ""
) -> Column:
    return {"name": name, "scores": scores, "bounds": bounds or {}, "kind": kind, "key": key}


def _is_shown(metric: str, columns: list[Column]) -> bool:
    """Return whether a metric is a number somewhere; a matrix has no cell."""
    return any(is_number(column["scores"].get(metric)) for column in columns)


def _cells(metric: str, columns: list[Column]) -> list[dict[str, str]]:
    return [
        {
            "score": wording.score(column["scores"].get(metric)),
            "interval": wording.interval(column["bounds"].get(metric)),
        }
        for column in columns
    ]


def _folds(files: RunFiles) -> str:
    """Say what stands in for a validation split; empty where there is one."""
    folds, main = files.metrics.get("folds"), files.metrics["main_metric"]
    if not folds:
        return ""
    scores = ", ".join(wording.score(score) for score in folds.get(main) or [])
    error = wording.score(folds.get("standard_error"))
    return (
        f"There is no validation split: {folds['count']} folds of train stand in for it, with "
        f"{wording.metric(main)} {scores}; standard error {error}."
    )


def _notes(files: RunFiles) -> Iterator[str]:
    """Yield sentences about thresholds and what was left out."""
    for key in OTHERS:
        other = files.metrics.get(key) or {}
        if other.get("skipped"):
            name, reason = other["name"], other["skipped"]
            yield f"{wording.plain(name, 40)} skipped: {wording.plain(reason, 200)}."
    adapted, main = files.metrics.get("adaptation"), files.metrics["main_metric"]
    if adapted:
        name = adapted["adaptation"]
        before, after = (adapted[when].get(f"validation_{main}") for when in ("before", "after"))
        yield (
            f"After training, {wording.plain(name, 40)} adapted the model to "
            f"rows of the target without their labels: {wording.metric(main)} on validation, which "
            f"is of the source, was {wording.score(before)} before and is {wording.score(after)}."
        )
    oracle = files.metrics.get("target_oracle")
    if oracle:
        yield f"For an oracle, {wording.plain(oracle_text.words(oracle, main), 400)}."
    thresholds = files.metrics.get("thresholds")
    if thresholds:
        values = [*thresholds["labels"].values()]
        yield (
            f"Labels are given above thresholds that were chosen on validation, from "
            f"{min(values):.4g} to {max(values):.4g}."
        )
