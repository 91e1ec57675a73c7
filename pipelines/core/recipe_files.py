"""A recipe's name -> its file: the shipped recipes, what starts them, and what a user names."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from pipelines.core import registry, regular_files
from pipelines.core.errors import RecipeError, suggest

LAUNCH = "launch"  # the folder beside the recipes: for accelerate, Slurm and Kubernetes
MAX_SHOWN = 80  # characters of a wrong name in a message
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # which people give in place of a recipe
MAX_NAMES = 5  # of recipes in a message; of more, only the nearest ones


def shipped_folder() -> Path:
    """Find the shipped recipes: inside the package of a wheel, beside it in a checkout."""
    inside = registry.ROOT / "recipes"
    return inside if inside.is_dir() else registry.ROOT.parent / "recipes"


def shipped() -> dict[str, Path]:
    """List the shipped recipes: name -> absolute path, sorted by name."""
    files = registry.source_files(shipped_folder(), "**/*.yaml")
    recipes = {file.stem: file for file in files if file.parent.name != LAUNCH}
    return dict(sorted(recipes.items()))


def launch_files() -> dict[str, Path]:
    """List what starts a run on several GPUs and machines: `launch/x.yaml` -> absolute path."""
    files = registry.source_files(shipped_folder() / LAUNCH, "*.*")
    return {f"{LAUNCH}/{file.name}": file for file in files}


def resolve(path: str | Path) -> Path:
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
    name, known = text.removesuffix(".yaml").removesuffix(".yml"), shipped()
    if name not in known:
        return _unread(text, name.rstrip("/"), known)
    file, here = known[name], Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _unread(text: str, name: str, known: Iterable[str]) -> Path:
    """Explain what is neither a file nor the name of a shipped recipe.

    Returns:
        The path itself, where whoever reads it says what is wrong with it.

    Raises:
        RecipeError: it is a folder, or nothing at all; says which files and recipes are nearest.
    """
    if os.path.isdir(text):
        raise RecipeError(f"{text}: {_folder_problem(Path(text))}")
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    if not os.path.exists(text) and (problem := regular_files.problem(text)):
        raise RecipeError(f"{shown}: {problem}; expected a YAML file")
    if not os.path.exists(text) and (near := _similar_file(text)):
        raise RecipeError(f"{shown}: no such file; did you mean '{near}'?")
    for suffix in TABLES:
        _refuse_table(f"{os.path.splitext(text)[0]}{suffix}", f"{shown}: no such file; ")
    if Path(name).name != name or os.path.exists(text):
        return Path(text)
    problem = f"{shown}: no such file, and no recipe of that name"
    raise RecipeError(
        f"{problem}; {suggest(name, known, limit=MAX_NAMES)}; `graft list` prints all"
    )


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
