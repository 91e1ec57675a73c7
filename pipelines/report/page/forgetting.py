"""What training left of what the checkpoint could do."""

from typing import Any

from pipelines.report.page import interval_chart, wording
from pipelines.report.page.interval_chart import Whisker
from pipelines.report.page.run_files import RunFiles

TITLE = "What is left of the checkpoint"


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return a probe of another task before and after, and how far weights moved."""
    measured = files.metrics.get("forgetting")
    if not measured:
        return None
    low, high = measured["interval"]
    distances = measured.get("distances") or {}
    largest = max(distances.values(), default=0) or 1
    rows = [
        Whisker("before training", measured["before"]),
        Whisker("after training", measured["after"]),
        Whisker("most frequent class", measured["most_frequent"], kind="other"),
    ]
    return {
        "name": wording.plain(measured["data"], 80),
        "num_rows": wording.count(measured["rows"]),
        "num_classes": wording.count(measured["classes"]),
        "change": f"{measured['change']:+.4f} ({low:+.4f} to {high:+.4f})",
        "chart": interval_chart.draw("accuracy of the probe", rows),
        "distances": [
            {
                "name": wording.plain(depth, 60),
                "text": wording.score(distance),
                "width": round(100 * distance / largest, 1),
            }
            for depth, distance in distances.items()
        ],
    }
