"""Whether rows of another source are told from those of this one."""

from typing import Any

from pipelines.report.page import interval_chart, wording
from pipelines.report.page.interval_chart import Whisker
from pipelines.report.page.run_files import RunFiles

TITLE = "Rows of another kind"


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the area under the ROC curve of each detector."""
    measured = files.metrics.get("out_of_distribution")
    if not measured:
        return None
    rows = [
        Whisker(name.replace("_", " "), area["value"], area)
        for name, area in measured["auroc"].items()
    ]
    return {
        "name": wording.plain(measured["data"], 80),
        "split": wording.plain(measured["split"], 40),
        "num_rows": wording.count(measured["rows"]),
        "num_others": wording.count(measured["other_rows"]),
        "chart": interval_chart.draw("area under the ROC curve", rows),
    }
