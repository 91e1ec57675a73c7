"""YAML text -> a document.

YAML is read by PyYAML's safe loader, with three repairs: `2e-5` is a number (YAML 1.1 reads it
as a string), `no` is a word (YAML 1.1 reads it as false, and `eval_strategy: no` means it), and
a key that is set twice is an error. Overrides from the command line
(`training.learning_rate=3e-5`) are read by the same rules and carry their own place.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipelines.core.errors import RecipeError
from pipelines.recipe.document import COMMAND_LINE, Document, Key, Override, anchored


class _Loader(yaml.SafeLoader):
    """The safe loader with the numbers and the truth values of YAML 1.2."""


BOOL, FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"
NUMBER, TRUTH = r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", "true|True|TRUE|false|False|FALSE"


def _without(tag: str, resolvers: list[Any]) -> list[Any]:
    """Drop YAML 1.1's rule for one tag: (tag, pattern) pairs."""
    return [(name, pattern) for name, pattern in resolvers if name != tag]


# a dictionary of its own: every other user of SafeLoader shares that of the base class
_Loader.yaml_implicit_resolvers = {
    first: _without(BOOL, resolvers)
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# PyYAML asks only the resolvers of a text's first character, which are the last argument
_Loader.add_implicit_resolver(FLOAT, re.compile(f"^({NUMBER})$"), list("-+0123456789"))
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
    if path.resolve() in above:
        raise RecipeError(f"{prefix}{path} leads back to itself")
    document = read(path, f"{prefix}{path}: cannot read the recipe")
    base = document.values.pop("extends", None)
    if base is None:
        return [document]
    place = document.place(("extends",))
    if not isinstance(base, str):
        raise RecipeError(f"{place}: extends: {base!r}: expected the path of one recipe")
    return [*layers(path.parent / base, (*above, path.resolve()), place), document]


def read(path: Path, refusal: str) -> Document:
    """Read one YAML file; `./x` and `../x` in it are meant from its folder."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RecipeError(f"{refusal} ({reason})") from None
    document = parse(text, str(path))
    document.values = anchored(document.values, path.parent)
    return document


def parse(text: str, origin: str) -> Document:
    """Parse YAML text; `origin` is the file name that its places start with."""
    try:
        # composed and not loaded, since only nodes know their lines
        node = yaml.compose(text, Loader=_Loader)
        document = Document(origin)
        document.values = _build(node, (), origin, document.places) if node else {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{origin}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise RecipeError(f"{origin}: not YAML: {first}") from None
    except RecursionError:
        raise RecipeError(f"{origin}: not YAML: an anchor contains itself") from None
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
    try:
        return Override(tuple(name.split(".")), value_of(value), place)
    except (yaml.YAMLError, ValueError):
        raise RecipeError(f"{place}: '{text}': the value is not YAML") from None


def value_of(text: str) -> Any:
    """Parse a text as YAML: `3e-5` is a number, `[1, 2]` a list."""
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def _build(node: yaml.Node, key: Key, origin: str, places: dict[Key, str]) -> Any:
    """Build a node's plain value, and record the place of every key and item on the way."""
    if isinstance(node, yaml.MappingNode):
        built = {}
        for name, child, line in _items(node, key, origin):
            places[(*key, name)] = f"{origin}:{line}"
            built[name] = _build(child, (*key, name), origin, places)
        return built
    if isinstance(node, yaml.SequenceNode):
        items = {str(i): child for i, child in enumerate(node.value)}
        places |= {(*key, i): f"{origin}:{c.start_mark.line + 1}" for i, c in items.items()}
        return [_build(child, (*key, i), origin, places) for i, child in items.items()]
    # only scalars are left; aliases are resolved already
    return _Loader("").construct_object(node)


def _items(node: yaml.MappingNode, key: Key, origin: str) -> Iterator[tuple[str, yaml.Node, int]]:
    seen: dict[str, int] = {}
    for name_node, child in node.value:
        name, line = str(name_node.value), name_node.start_mark.line + 1
        if name in seen:
            dotted = ".".join((*key, name))
            raise RecipeError(
                f"{origin}:{line}: '{dotted}' is set twice (first on line {seen[name]})"
            )
        seen[name] = line
        yield name, child, line
