"""A name in a recipe -> the class in the file of that name; a recipe's name -> its file.

The files are the registry: `strategies/lora.py` is what `strategy: lora` means, and only the
file that is named gets imported.
"""

import ast
import os
from collections.abc import Iterable
from difflib import get_close_matches
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
LAUNCH = "launch"  # the folder beside the recipes: for accelerate, Slurm and Kubernetes
MAX_SHOWN = 80  # characters of a wrong name in a message
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # which people give in place of a recipe
MAX_NAMES = 5  # of recipes in a message; of more, only the nearest ones
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


def recipe_folder() -> Path:
    """Find the shipped recipes: inside the package of a wheel, beside it in a checkout."""
    inside = ROOT / "recipes"
    return inside if inside.is_dir() else ROOT.parent / "recipes"


def recipes() -> dict[str, Path]:
    """List the shipped recipes: name -> absolute path, sorted by name."""
    files = (f for f in source_files(recipe_folder(), "**/*.yaml") if f.parent.name != LAUNCH)
    return {file.stem: file for file in sorted(files, key=lambda file: file.stem)}


def launch_files() -> dict[str, Path]:
    """List what starts a run on several GPUs and machines: `launch/x.yaml` -> absolute path."""
    files = source_files(recipe_folder() / LAUNCH, "*.*")
    return {f"{LAUNCH}/{file.name}": file for file in files}


def recipe_file(path: str | Path) -> Path:
    """Resolve what a user calls a recipe: a path, or the name of a shipped recipe.

    A file that exists wins, with or without `.yaml`; a path with a folder in it is never a name.

    Raises:
        RecipeError: neither, or a folder; says which recipes are nearest.
    """
    text = str(path)
    if not text.strip():
        raise RecipeError(
            f"'{text}' names no recipe; expected a YAML file, or a name that `graft list` prints"
        )
    # of os.path, which takes a name that is too long for one that does not exist
    for candidate in (text, f"{text}.yaml", f"{text}.yml"):
        if os.path.isfile(candidate):
            _refuse_table(candidate)
            _refuse_lock(Path(candidate))
            return Path(candidate)
    name, known = text.removesuffix(".yaml").removesuffix(".yml"), recipes()
    if name not in known:
        if os.path.isdir(text):
            raise RecipeError(f"{text}: {_folder_problem(Path(text))}")
        name = name.rstrip("/")
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
        if not os.path.exists(text) and (near := _similar_file(text)):
            raise RecipeError(f"{shown}: no such file; did you mean '{near}'?")
        for suffix in TABLES:
            _refuse_table(f"{os.path.splitext(text)[0]}{suffix}", f"{shown}: no such file; ")
        if Path(name).name != name or os.path.exists(text):
            return Path(text)  # whoever reads it says what is wrong with it
        problem = f"{shown}: no such file, and no recipe of that name"
        raise RecipeError(
            f"{problem}; {suggest(name, known, limit=MAX_NAMES)}; `graft list` prints all"
        )
    file, here = known[name], Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _refuse_table(file: str, reason: str = "") -> None:
    """Refuse a table in place of a recipe, where there is one, and say what makes a recipe."""
    if file.endswith(TABLES) and os.path.isfile(file):
        reason = reason or f"{file}: is a table, not a recipe; "
        raise RecipeError(f"{reason}`graft init {file}` writes a recipe for it")


def _refuse_lock(file: Path) -> None:
    """Refuse the lock of a run, which is no recipe, and say what takes it."""
    if file.name == "lock.json":
        recipe = file.with_name("recipe.yaml").as_posix()
        raise RecipeError(
            f"{file}: is the lock of a run, not a recipe; `graft run {file}` repeats the run, and "
            f"its recipe is {recipe}"
        )


def _similar_file(text: str) -> str | None:
    """Return the YAML file beside one that does not exist whose name is nearest to its name."""
    folder, name = os.path.split(text)
    if not os.path.isdir(folder or "."):
        return None
    files = [file for file in os.listdir(folder or ".") if file.endswith((".yaml", ".yml"))]
    stem = os.path.splitext(name)[0]
    # of one stem, whatever the suffix; else by all of the name
    alike = [file for file in sorted(files) if os.path.splitext(file)[0] == stem]
    near = alike or get_close_matches(name, files, n=1, cutoff=0.75)
    return os.path.join(folder, near[0]) if near else None


def _folder_problem(folder: Path) -> str:
    """Say which file to name instead of a folder; of a run's, how to resume the run."""
    recipe = folder / "recipe.yaml"
    if not recipe.is_file():
        files = [file.as_posix() for file in sorted(folder.glob("*.yaml"))]
        expected = " or ".join(files[:MAX_NAMES]) or "x.yaml, or a name that `graft list` prints"
        return f"is a folder; expected a YAML file such as {expected}"
    if not (folder / "lock.json").is_file():
        return f"is a folder; name the recipe in it: {recipe.as_posix()}"
    shown = folder.as_posix()
    if (folder / "metrics.json").is_file():
        again = f"`graft run {shown}` repeats the run"
    else:
        again = f"to resume the run, add training.resume_from_checkpoint={shown}"
    return f"is the folder of a run; its recipe is {recipe.as_posix()}; {again}"


def source_files(folder: Path, pattern: str = "*.py") -> list[Path]:
    """List the files of a folder of ours; one that has moved is an error, not an empty list."""
    files = sorted(folder.glob(pattern))
    assert files, f"{folder}: no {pattern}"
    return files
