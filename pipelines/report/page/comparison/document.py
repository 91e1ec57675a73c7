"""Folder of a comparison -> report.html."""

from pathlib import Path
from types import ModuleType

from pipelines.core.console import warn
from pipelines.core.hub_client import first_line
from pipelines.report.page import rendering
from pipelines.report.page.comparison import (
    efficiency,
    learning,
    masthead,
    outcome,
    request,
    runs,
    scores,
)
from pipelines.report.page.comparison.comparison_files import ComparisonFiles

SECTIONS: tuple[ModuleType, ...] = (outcome, scores, learning, efficiency, runs, request)


def write(folder: Path) -> Path:
    """Write report.html into the folder of a comparison, from its files; returns the page's path.

    Raises:
        RunError: comparison.json is missing or damaged, or the folder cannot be written.
    """
    path = folder / "report.html"
    rendering.write(path, ComparisonFiles(folder), masthead, SECTIONS)
    return path


def draw(folder: Path) -> Path | None:
    """Draw the page; where that fails a line says so, and the comparison is as good without it."""
    try:
        return write(folder)
    except Exception as error:  # whatever it is: hours of training are worth more than a page
        warn(
            f"{folder}: no report.html ({type(error).__name__}: {first_line(error)}); "
            f"graft report {folder} tries again"
        )
        return None
