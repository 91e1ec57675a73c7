"""A head and sections, each made from files -> one page.

Each section is drawn by itself: one whose files have another form than this version writes says so
in its place, and the others are there.
"""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.core.console import warn
from pipelines.core.errors import RunError
from pipelines.core.hub_client import first_line
from pipelines.report.writing import writing

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = __name__.rpartition(".")[0]
TEMPLATES = Path(__file__).parent / "templates"


class PageFiles(Protocol):
    """The files that a page is made from.

    Attributes:
        main: the one without which there is no page.
        remedy: what to do where it is damaged.
    """

    remedy: str

    @property
    def main(self) -> Path: ...


def write(path: Path, files: Any, head: ModuleType, sections: Sequence[ModuleType]) -> None:
    """Write a page.

    Raises:
        RunError: the main file is missing, damaged, or has another form, or the page cannot be
            written.
    """
    # lone surrogates of a damaged file cannot be written
    content = render(files, head, sections).encode("utf-8", "replace")
    partial = path.with_suffix(".partial")
    with writing(path.parent):
        partial.write_bytes(content)
        partial.replace(path)


def render(files: PageFiles, head: ModuleType, sections: Sequence[ModuleType]) -> str:
    """Return the page.

    Raises:
        RunError: the main file is missing, damaged, or has another form.
    """
    from markupsafe import Markup

    environment = _environment()
    shown_head = _head(head, files)
    drawn = [_section(module, files, environment) for module in sections]
    # files of ours: nothing of the data stands in them
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(
        style=style,
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        head=shown_head,
        sections=[section for section in drawn if section],
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


def _head(module: ModuleType, files: PageFiles) -> Any:
    try:
        return module.view(files)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{files.main}: damaged: not what a run writes ({_reason(error)}); {files.remedy}"
        ) from None


def _section(
    module: ModuleType, files: PageFiles, environment: "Environment"
) -> dict[str, Any] | None:
    """Return name, title and content; None where there is nothing to show."""
    from markupsafe import Markup

    # its template lies below templates/ as it lies below this package
    path = module.__name__.removeprefix(f"{PACKAGE}.").split(".")
    section = {"name": path[-1], "title": module.TITLE}
    try:
        view = module.view(files)
        if not view:
            return None
        content = environment.get_template(f"{'/'.join(path)}.html").render(view=view)
        # escaped where it was rendered
        return {**section, "content": Markup(content), "problem": ""}
    except Exception as error:  # files may be damaged in any way; the other sections are sound
        warn(f"{files.main.parent}: report.html lacks '{module.TITLE}': {_reason(error)}")
        return {**section, "content": "", "problem": _reason(error)}


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
