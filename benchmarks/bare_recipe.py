"""A recipe that trains and scores, and does nothing besides."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.report.run_folder import RunFolder

BARE: dict[str, Any] = {"simple_model": False, "printed_lines": False}
# nothing is chosen on the way, or fitted afterwards: the last checkpoint counts
LAST: dict[str, Any] = {**BARE, "early_stopping": None, "calibration": None}


def run(values: dict[str, Any]) -> "RunFolder":
    """Run a recipe without stages and return its folder."""
    from pipelines import recipe
    from pipelines.workflow import run as pipeline

    return pipeline.run(recipe.Recipe.from_dict(values))


def measure(values: dict[str, Any]) -> dict[str, Any]:
    """Run a recipe and return its metrics."""
    return json.loads(run(values).metrics.read_text(encoding="utf-8"))
