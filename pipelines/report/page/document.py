"""Run folder -> report.html."""

from types import ModuleType

from pipelines.report.page import (
    calibration,
    classes,
    confusion,
    cost,
    data,
    detection,
    explanations,
    forgetting,
    learning,
    locked,
    masthead,
    mistakes,
    rendering,
    reproduce,
    request,
    robustness,
    scores,
    slices,
    wise_ft,
)
from pipelines.report.page.run_files import RunFiles
from pipelines.report.run_folder import RunFolder

SECTIONS: tuple[ModuleType, ...] = (
    scores,
    request,
    data,
    learning,
    confusion,
    classes,
    calibration,
    mistakes,
    explanations,
    slices,
    robustness,
    detection,
    forgetting,
    wise_ft,
    cost,
    reproduce,
    locked,
)


def write(folder: RunFolder) -> None:
    """Write report.html into a run folder, from its files.

    Raises:
        RunError: the run is not finished, metrics.json is damaged, or the folder cannot be written.
    """
    rendering.write(folder.report, RunFiles(folder), masthead, SECTIONS)
