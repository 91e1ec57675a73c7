"""A name in a recipe -> the class in the file of that name; a recipe's name -> its file.

The files are the registry: `strategies/lora.py` is what `strategy: lora` means, and only the
file that is named gets imported.
"""

import ast
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.core import contract
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
BASES = {  # in the folder's `__init__.py`; a metric is a class of `evaluate`
    "tasks": "Task",
    "sources": "Source",
    "strategies": "Strategy",
    "augmentations": "Augmentation",
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
        RecipeError: there is no such file (says which there are and which is nearest), or its class
            does not keep the contract of the package's base class.
    """
    check(package, name)
    parent = f"pipelines.{FOLDERS[package].replace('/', '.')}"
    try:
        module = import_module(f"{parent}.{name}")
    except (NameError, TypeError, RuntimeError) as error:
        if not type(error).__module__.startswith("pydantic."):  # which refuses what is no field
            raise
        _refuse(package, name, [f"cannot be a section of a recipe: {error}".partition("\n")[0]])
    kind = getattr(module, class_name(package, name), None)
    if package in BASES:
        base = getattr(import_module(parent), BASES[package])
        _refuse(package, name, contract.problems(kind, base))
    return kind


def check(package: str, name: str) -> None:
    """Refuse what can be refused without importing the file.

    Raises:
        RecipeError: there is no such file, or it is a metric that breaks its contract.
    """
    if name not in names(package):
        kind = {"strategies": "strategy"}.get(package, package.removesuffix("s"))
        raise RecipeError(f"unknown {kind} '{name}'; {suggest(name, names(package))}")
    if package == "metrics":
        source = (folder(package) / f"{name}.py").read_text(encoding="utf-8")
        _refuse(package, name, contract.metric_problems(source, class_name(package, name)))


def class_name(package: str, name: str) -> str:
    """Name the class of a file: `linear_probe` -> `LinearProbe`; of a command, `LrFindCommand`."""
    ending = "Command" if package == "commands" else ""
    return "".join(word.capitalize() for word in name.split("_")) + ending


def _refuse(package: str, name: str, problems: Iterable[str]) -> None:
    """Raise a RecipeError that names file, class and every problem, if there is one."""
    if text := "; ".join(problems):
        file = f"pipelines/{FOLDERS[package]}/{name}.py"
        raise RecipeError(f"{file}: class {class_name(package, name)} {text}")


def summary(package: str, name: str) -> str:
    """Read the first line of a file's docstring without importing the file."""
    tree = ast.parse((folder(package) / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def recipe_folder() -> Path:
    """Find the shipped recipes: inside the package of a wheel, beside it in a checkout."""
    inside = ROOT / "recipes"
    return inside if inside.is_dir() else ROOT.parent / "recipes"


def recipes() -> dict[str, Path]:
    """List the shipped recipes: name -> absolute path, sorted by name."""
    files = source_files(recipe_folder(), "**/*.yaml")
    return {file.stem: file for file in sorted(files, key=lambda file: file.stem)}


def recipe_file(path: str | Path) -> Path:
    """Resolve what a user calls a recipe: a path, or the name of a shipped recipe.

    A file that exists wins, with or without `.yaml`; a path with a folder in it is never a name.

    Raises:
        RecipeError: neither; says which recipes there are and which is nearest.
    """
    text, path = str(path), Path(path)
    for file in (path, Path(f"{text}.yaml")):
        if file.is_file():
            return file
    name, known = text.removesuffix(".yaml"), recipes()
    if name not in known:
        if path.name != text or path.exists():
            return path  # whoever reads it says what is wrong with it
        problem = f"{path}: no such file, and no recipe of that name"
        raise RecipeError(f"{problem}; {suggest(name, known)}")
    file, here = known[name], Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def source_files(folder: Path, pattern: str = "*.py") -> list[Path]:
    """List the files of a folder of ours; one that has moved is an error, not an empty list."""
    files = sorted(folder.glob(pattern))
    assert files, f"{folder}: no {pattern}"
    return files
