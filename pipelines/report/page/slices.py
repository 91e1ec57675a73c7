"""Whether short inputs or long ones are harder."""

from typing import Any

import numpy as np

from pipelines.core import registry
from pipelines.evaluation import slices as measured_slices
from pipelines.report.page import interval_chart
from pipelines.report.page.interval_chart import Whisker
from pipelines.report.page.run_files import RunFiles

TITLE = "Slices"


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the accuracy by length: in tokens where it was measured, else in characters."""
    robustness = files.metrics.get("robustness") or {}
    slices, unit = robustness.get("slices") or [], "tokens"
    if not slices:
        slices, unit = _by_characters(files), "characters"
    rows = [
        Whisker(f"{each['shortest']:,} to {each['longest']:,} {unit}", each["accuracy"], each)
        for each in slices
    ]
    chart = interval_chart.draw("accuracy by length", rows)
    sizes = [each["num_rows"] for each in slices]
    return chart and {"chart": chart, "sizes": sizes, "unit": unit, "split": files.split_name}


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
