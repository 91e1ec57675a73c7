"""Which rows are harder: those of one source or another, short inputs or long ones."""

from typing import Any

import numpy as np

from pipelines.core import registry
from pipelines.evaluation import slices as measured_slices
from pipelines.report.page import interval_chart, wording
from pipelines.report.page.interval_chart import Whisker
from pipelines.report.page.run_files import RunFiles

TITLE = "Slices"


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return a chart by source and one by length, each where it can be drawn."""
    parts = [part for part in (_of_sources(files), _of_lengths(files)) if part["chart"]]
    return {"parts": parts} if parts else None


def _of_sources(files: RunFiles) -> dict[str, Any]:
    """Lay out the main score on the rows of each of several sources."""
    main = files.metrics["main_metric"]
    sources = (files.metrics.get("sources") or {}).get(files.split) or {}
    rows = [
        Whisker(f"{name} ({wording.count(each['rows'])} rows)", each[main])
        for name, each in sources.items()
    ]
    return {
        "text": f"{wording.metric(main)} on {files.split_name} by source.",
        "chart": interval_chart.draw(f"{wording.metric(main)} by source", rows),
    }


def _of_lengths(files: RunFiles) -> dict[str, Any]:
    """Lay out the accuracy by tokens where it was measured, else by characters."""
    robustness = files.metrics.get("robustness") or {}
    slices, unit = robustness.get("slices") or [], "tokens"
    if not slices:
        slices, unit = _by_characters(files), "characters"
    rows = [
        Whisker(f"{each['shortest']:,} to {each['longest']:,} {unit}", each["accuracy"], each)
        for each in slices
    ]
    sizes = ", ".join(wording.count(each["num_rows"]) for each in slices)
    return {
        "text": f"Accuracy on {files.split_name} by the length of inputs in {unit}: slices of "
        f"{sizes} rows, with intervals of 95 %.",
        "chart": interval_chart.draw("accuracy by length", rows),
    }


def _by_characters(files: RunFiles) -> list[dict[str, Any]]:
    """Compare quartiles of length, where inputs are texts that are right or wrong."""
    table = files.table
    if table is None or registry.find("tasks", files.metrics["task"]).modality != "text":
        return []
    correct, lengths = table.numbers("correct"), table.lengths()
    if correct is None or lengths is None or np.isnan(correct).any():
        return []
    slices = measured_slices.by_length(lengths, correct, np.ones(len(correct)))
    return [vars(each) for each in slices]
