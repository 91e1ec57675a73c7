"""A name in a recipe -> the class in the file of that name.

The files are the registry: `strategies/lora.py` is what `strategy: lora` means, and only the
file that is named gets imported.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.core.errors import RecipeError, suggest

ROOT = Path(__file__).parent.parent  # the package `pipelines`
FOLDERS = {
    "tasks": "tasks",
    "sources": "data/sources",
    "strategies": "strategies",
    "augmentations": "tasks/augmentations",
    "heads": "features/heads",
    "metrics": "evaluation/metrics",
    "commands": "cli/commands",
}
PACKAGES = tuple(package for package in FOLDERS if package != "commands")


def folder(package: str) -> Path:
    """The folder whose files `package` ("tasks", "strategies"…) consists of."""
    return ROOT / FOLDERS[package]


@cache
def names(package: str) -> tuple[str, ...]:
    """The names that `package` ("tasks", "strategies"…) knows, sorted."""
    return tuple(sorted(file.stem for file in source_files(folder(package), "[a-z]*.py")))


@cache
def find(package: str, name: str) -> Any:
    """The class of the file `package/name.py`: `linear_probe.py` holds `LinearProbe`.

    Raises:
        RecipeError: there is no such file; says which there are and which is nearest.
    """
    if name not in names(package):
        kind = {"strategies": "strategy"}.get(package, package.removesuffix("s"))
        raise RecipeError(f"unknown {kind} '{name}'; {suggest(name, names(package))}")
    module = import_module(f"pipelines.{FOLDERS[package].replace('/', '.')}.{name}")
    return getattr(module, "".join(part.capitalize() for part in name.split("_")))


def summary(package: str, name: str) -> str:
    """The first line of a file's docstring, read without importing the file."""
    tree = ast.parse((folder(package) / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def recipes() -> list[Path]:
    """The recipe files below `recipes/`, relative to the working directory where possible."""
    found = sorted((ROOT.parent / "recipes").rglob("*.yaml"))
    here = Path.cwd()
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in found]


def source_files(folder: Path, pattern: str = "*.py") -> list[Path]:
    """The files of a folder of ours, sorted; a folder that has moved is an error, not no files."""
    files = sorted(folder.glob(pattern))
    assert files, f"{folder}: no {pattern}"
    return files
