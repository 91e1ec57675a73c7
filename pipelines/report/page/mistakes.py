"""The mistakes that the model is surest of, with what it saw."""

from typing import Any

from pipelines.report.page import example_rows, shown_rows, wording
from pipelines.report.page.media import Media
from pipelines.report.page.run_files import RunFiles

TITLE = "The surest mistakes"
MAX_CHARACTERS = 600
MAX_BYTES = 1_800_000  # of pictures and clips


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the rows, and how many mistakes there are in all."""
    table = files.table
    if table is None or not len(table):
        return None
    correct = table.numbers("correct")
    media = Media(files.folder, files.split, MAX_BYTES)
    rows = example_rows.read(table, shown_rows.mistakes(files), media, MAX_CHARACTERS)
    num_wrong = None if correct is None else int((correct == 0).sum())
    if not rows and num_wrong is None:
        return None
    return {
        "rows": rows,
        "num_wrong": None if num_wrong is None else wording.count(num_wrong),
        "num_rows": wording.count(len(table)),
        "split": files.split_name,
        "by": "confidence" if table.numbers("confidence") is not None else "loss",
    }
