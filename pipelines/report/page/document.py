"""Run folder -> report.html.

Each section is drawn by itself: one whose files have another form than this version writes says so
in its place, and the others are there.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pipelines.core.console import warn
from pipelines.core.errors import RunError
from pipelines.core.hub_client import first_line
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
    reproduce,
    request,
    robustness,
    scores,
    slices,
    wise_ft,
)
from pipelines.report.page.run_files import RunFiles
from pipelines.report.run_folder import RunFolder, writing

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

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
    # lone surrogates of a damaged file cannot be written
    content = render(RunFiles(folder)).encode("utf-8", "replace")
    partial = folder.report.with_suffix(".partial")
    with writing(folder.path):
        partial.write_bytes(content)
        partial.replace(folder.report)


def render(files: RunFiles) -> str:
    """Return the page.

    Raises:
        RunError: metrics.json is missing, damaged, or has another form.
    """
    from markupsafe import Markup

    environment = _environment()
    head = _head(files)
    sections = [_section(module, files, environment) for module in SECTIONS]
    # files of ours: nothing of the data stands in them
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(
        style=style,
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        head=head,
        sections=[section for section in sections if section],
    )


@cache
def _environment() -> "Environment":
    """Return templates that escape whatever they are given, and fail where something is missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _head(files: RunFiles) -> dict[str, Any]:
    try:
        return masthead.view(files)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{files.folder.metrics}: damaged: not what a run writes ({_reason(error)}); run the "
            "recipe again"
        ) from None


def _section(
    module: ModuleType, files: RunFiles, environment: "Environment"
) -> dict[str, Any] | None:
    """Return name, title and content; None where there is nothing to show."""
    from markupsafe import Markup

    name = module.__name__.rpartition(".")[2]
    try:
        view = module.view(files)
        if not view:
            return None
        content = environment.get_template(f"{name}.html").render(view=view)
        # escaped where it was rendered
        return {"name": name, "title": module.TITLE, "content": Markup(content), "problem": ""}
    except Exception as error:  # files may be damaged in any way; the other sections are sound
        warn(f"{files.folder}: report.html lacks '{module.TITLE}': {_reason(error)}")
        return {"name": name, "title": module.TITLE, "content": "", "problem": _reason(error)}


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
