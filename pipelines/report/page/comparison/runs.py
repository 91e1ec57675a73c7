"""Every run: its scores, what it took, and where its files are."""

from typing import Any

from pipelines.core.console import duration
from pipelines.evaluation.compared import ComparedRun
from pipelines.report.page import wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles

TITLE = "Every run"
MAX_LISTED = 300


def view(files: ComparisonFiles) -> dict[str, Any]:
    """Return the runs in their order, and why some have no numbers."""
    runs = files.compared.runs
    return {
        "has_shares": len(files.compared.fractions) > 1,
        "metric": files.metric,
        "rows": [_row(run) for run in runs[:MAX_LISTED]],
        "num_more": max(0, len(runs) - MAX_LISTED),
        "problems": [
            {
                "name": f"{wording.plain(run.arm, 80)}, seed {run.seed}",
                "text": wording.plain(run.problem, 400),
            }
            for run in runs
            if run.problem
        ],
        "command": f"graft runs {files.address}",
    }


def _row(run: ComparedRun) -> dict[str, Any]:
    return {
        "arm": wording.plain(run.arm, 80),
        "seed": run.seed,
        "share": f"{100 * run.fraction:g} %",
        "validation": "failed" if run.problem else wording.score(run.validation),
        "test": wording.score(run.test),
        "time": wording.NONE if run.seconds is None else duration(run.seconds),
        "folder": wording.plain(run.folder, 120),
    }
