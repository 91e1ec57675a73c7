"""A name in a recipe -> the class in the file of that name.

The files are the registry: `strategies/lora.py` is what `strategy: lora` means, and only the
file that is named gets imported.
"""

import ast
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.core import contract, python_source
from pipelines.core.console import warn
from pipelines.core.errors import GraftError, RecipeError, suggest

ROOT = Path(__file__).parent.parent  # the package `pipelines`
FOLDERS = {
    "tasks": "tasks",
    "sources": "data/sources",
    "strategies": "strategies",
    "augmentations": "tasks/augmentations",
    "adaptations": "training/adaptation",
    "heads": "features/heads",
    "metrics": "evaluation/metrics",
    "commands": "cli/commands",
}
BASES = {  # in the folder's `__init__.py`; a metric is a class of `evaluate`
    "tasks": "Task",
    "sources": "Source",
    "strategies": "Strategy",
    "augmentations": "Augmentation",
    "adaptations": "Adaptation",
    "heads": "Head",
    "commands": "Command",
}
PACKAGES = tuple(package for package in FOLDERS if package != "commands")


def folder(package: str) -> Path:
    """Return the folder of the files of `package` ("tasks", "strategies"…)."""
    return ROOT / FOLDERS[package]


@cache
def names(package: str) -> tuple[str, ...]:
    """List the names of `package` ("tasks", "strategies"…), sorted."""
    return tuple(sorted(file.stem for file in source_files(folder(package), "[a-z]*.py")))


@cache
def find(package: str, name: str) -> Any:
    """Import the class of the file `package/name.py`: `linear_probe.py` holds `LinearProbe`.

    Raises:
        RecipeError: there is no such file (says which there are and which is nearest), it cannot be
            read or imported, or its class does not keep the contract of the package's base class.
    """
    check(package, name)
    parent = f"pipelines.{FOLDERS[package].replace('/', '.')}"
    try:
        module = import_module(f"{parent}.{name}")
    except GraftError:
        raise
    except Exception as error:  # a contributed file can raise anything
        if type(error).__module__.startswith("pydantic."):  # which refuses what is no field
            problem = f"cannot be a section of a recipe: {error}".partition("\n")[0]
            _refuse(package, name, [problem])
        file = folder(package) / f"{name}.py"
        problem = python_source.import_problem(error, file, _file_name(package, name))
        raise RecipeError(problem) from error
    kind = getattr(module, class_name(package, name), None)
    if package in BASES:
        base = getattr(import_module(parent), BASES[package])
        _refuse(package, name, contract.problems(kind, base))
    return kind


@cache
def find_all(package: str) -> dict[str, Any]:
    """Import the classes of all files of `package`; a note on stderr names each broken file."""
    classes = {}
    for name in names(package):
        try:
            classes[name] = find(package, name)
        except RecipeError as error:
            warn(f"note: {name} is left out: {error}")
    return classes


def check(package: str, name: str) -> None:
    """Refuse what can be refused without importing the file.

    Raises:
        RecipeError: there is no such file, it is not Python, or it is a metric that breaks its
            contract.
    """
    if name not in names(package):
        kind = {"strategies": "strategy"}.get(package, package.removesuffix("s"))
        raise RecipeError(f"unknown {kind} '{name}'; {suggest(name, names(package))}")
    tree = _parse(package, name)
    if package == "metrics":
        _refuse(package, name, contract.metric_problems(tree, class_name(package, name)))


def class_name(package: str, name: str) -> str:
    """Name the class of a file: `linear_probe` -> `LinearProbe`; of a command, `LrFindCommand`."""
    ending = "Command" if package == "commands" else ""
    return "".join(word.capitalize() for word in name.split("_")) + ending


def _refuse(package: str, name: str, problems: Iterable[str]) -> None:
    """Raise a RecipeError that names file, class and every problem, if there is one."""
    if text := "; ".join(problems):
        raise RecipeError(f"{_file_name(package, name)}: class {class_name(package, name)} {text}")


def _file_name(package: str, name: str) -> str:
    return f"pipelines/{FOLDERS[package]}/{name}.py"


def _parse(package: str, name: str) -> ast.Module:
    return python_source.parse(folder(package) / f"{name}.py", _file_name(package, name))


def summary(package: str, name: str) -> str:
    """Read the first line of a file's docstring without importing the file.

    Of a file that is not Python, say so: it must not hide the others in a list.
    """
    try:
        tree = _parse(package, name)
    except RecipeError as error:
        return f"(cannot be read: {error})"
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def source_files(folder: Path, pattern: str = "*.py") -> list[Path]:
    """List the files of a folder of ours; one that has moved is an error, not an empty list."""
    files = sorted(folder.glob(pattern))
    assert files, f"{folder}: no {pattern}"
    return files
