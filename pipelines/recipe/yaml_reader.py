"""YAML text -> a document.

YAML is read by PyYAML's safe loader, with four repairs: `2e-5` is a number (YAML 1.1 reads it
as a string), `no` is a word (YAML 1.1 reads it as false, and `eval_strategy: no` means it), so is
a date (such as a revision), and a key that is set twice is an error. Overrides from the command
line (`training.learning_rate=3e-5`) are read by the same rules and carry their own place.
"""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from pipelines.core import recipe_files, regular_files
from pipelines.core.errors import RecipeError
from pipelines.core.regular_files import real_path
from pipelines.recipe.document import COMMAND_LINE, Document, Key, Override, anchored
from pipelines.recipe.yaml_nodes import MAX_DEPTH, NodeBuilder, RefusedNode, too_deep


class _Loader(yaml.SafeLoader):
    """The safe loader with the numbers and the truth values of YAML 1.2."""


MAX_BYTES = 1_000_000  # of a file; PyYAML reads about 50,000 of them in a second
MAX_SHOWN = 80  # characters of a wrong override in a message
BOOL, FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"
TIMESTAMP = "tag:yaml.org,2002:timestamp"
FLOAT_STARTS = list("-+0123456789")
NUMBER, TRUTH = r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", "true|True|TRUE|false|False|FALSE"


def _without_dropped(resolvers: list[Any]) -> list[Any]:
    """Drop YAML 1.1's rules for truth values and dates: (tag, pattern) pairs."""
    return [(tag, pattern) for tag, pattern in resolvers if tag not in (BOOL, TIMESTAMP)]


# a dictionary of its own: every other user of SafeLoader shares that of the base class
_Loader.yaml_implicit_resolvers = {
    first: _without_dropped(resolvers)
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# PyYAML asks only the resolvers of a text's first character, which are the last argument
_Loader.add_implicit_resolver(FLOAT, re.compile(f"^({NUMBER})$"), FLOAT_STARTS)
_Loader.add_implicit_resolver(BOOL, re.compile(f"^({TRUTH})$"), list("tTfF"))


def layers(path: Path, above: tuple[Path, ...] = (), wanted: str = "") -> list[Document]:
    """Read a recipe file and, before it in the list, what it `extends`.

    Relative paths that start with `./` or `../` are meant from the folder of their own file.

    Args:
        above: the files that led here.
        wanted: the place that extends this file.

    Raises:
        RecipeError: no such file, not YAML, not a mapping, a key twice, a circle of `extends`.
    """
    prefix = f"{wanted}: extends: " if wanted else ""
    above = (*above, real_path(path))
    if above[-1] in above[:-1]:
        raise RecipeError(f"{prefix}{path} leads back to itself")
    document = read(path, f"{prefix}{path}: cannot read the recipe")
    base = document.values.pop("extends", None)
    if base is None:
        return [document]
    place = document.place(("extends",))
    if not isinstance(base, str):
        raise RecipeError(f"{place}: extends: {base!r}: expected the path of one recipe")
    return [*layers(_extended(path.parent, base, place), above, place), document]


def _extended(folder: Path, name: str, place: str) -> Path:
    """Find what a recipe in `folder` extends: a file from there, else a shipped recipe."""
    is_shipped = name in recipe_files.shipped() and not os.path.exists(folder / name)
    try:
        return recipe_files.resolve(name if is_shipped else folder / name)
    except RecipeError as error:
        raise RecipeError(f"{place}: extends: {error}") from None


def read(path: Path, refusal: str) -> Document:
    """Read one YAML file; `./x` and `../x` in it are meant from its folder.

    Raises:
        RecipeError: as of `as_written`.
    """
    document = as_written(path, refusal)
    document.values = anchored(document.values, path.parent)
    return document


def as_written(path: Path, refusal: str) -> Document:
    """Read one YAML file; relative paths in it stay as they are.

    Args:
        refusal: begins the message where it cannot be read.

    Raises:
        RecipeError: it cannot be read, is too large, is not YAML, or no mapping of keys to values.
    """
    if reason := regular_files.problem(path):  # reading a pipe or a device might never end
        raise RecipeError(f"{refusal} (it {reason})")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecipeError(f"{refusal} (it is larger than {MAX_BYTES:,} bytes)")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RecipeError(f"{refusal} ({reason})") from None
    return parse(text, str(path))


def parse(text: str, origin: str) -> Document:
    """Parse YAML text; `origin` is the file name that its places start with.

    Raises:
        RecipeError: not YAML, or no mapping of keys to values.
    """
    try:
        values, lines = _values(text)
    except RefusedNode as error:
        raise RecipeError(f"{origin}:{_line(text, error)}: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{origin}:{_line(text, error)}: not YAML: {_reason(error)}") from None
    places = {key: f"{origin}:{line}" for key, line in lines.items()}
    document = Document(origin, {} if values is None else values, places)
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise RecipeError(f"{origin}:1: a recipe is a mapping of keys to values, not {kind}")
    return document


def parse_override(text: str, place: str = COMMAND_LINE) -> Override:
    """Parse `training.learning_rate=3e-5` into key, value and place.

    Raises:
        RecipeError: it is not key=value, or the value is not YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise RecipeError(f"{place}: '{text}': expected key=value, such as strategy=lora")
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    try:
        return Override(tuple(name.split(".")), value_of(value), place)
    except RefusedNode as error:
        raise RecipeError(f"{place}: '{shown}': {error.problem}") from None
    except (yaml.YAMLError, ValueError):
        raise RecipeError(f"{place}: '{shown}': the value is not YAML") from None


def value_of(text: str) -> Any:
    """Parse a text as YAML: `3e-5` is a number, `[1, 2]` a list."""
    return _values(text)[0]


def _values(text: str) -> tuple[Any, dict[Key, int]]:
    """Parse YAML: its values, and the line of each key and item."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except RecursionError:
        _refuse_depth(text)
        raise
    builder = NodeBuilder(_Loader("").construct_object)
    return (builder.build(node) if node else None), builder.lines


def _refuse_depth(text: str) -> None:
    """Find where a text is nested too deep to be composed, by its events, which need no stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise too_deep(event)


def _line(text: str, error: Exception) -> int:
    """Return the line of an error, counted from 1; the reader gives a position only."""
    mark = getattr(error, "problem_mark", None)
    if mark:
        return int(mark.line) + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return str(error.problem or error.context)
    return str(error).partition("\n")[0]
