"""Recipe text -> plain values that remember where they stand.

YAML is read by PyYAML's safe loader, with two repairs: `2e-5` is a number (YAML 1.1 reads it
as a string), and a key that stands twice is an error. Overrides from the command line
(`training.learning_rate=3e-5`) are read by the same rules and carry their own place.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import RecipeError

Key = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader that also knows `2e-5` and `1e3`."""


_Loader.yaml_implicit_resolvers = {
    k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


@dataclass
class Document:
    """The tree of values of a recipe, and for each key the place (file:line) that set it."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)

    def place(self, key: Iterable[str | int]) -> str:
        """Where `key`, or the nearest key above it, was set."""
        path = tuple(map(str, key))
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, "recipe")

    def get(self, key: Key) -> Any:
        """The value at `key`; None where nothing was said."""
        node: Any = self.values
        for part in key:
            if not isinstance(node, dict):
                return None
            node = node.get(part)
        return node

    def put(self, key: Key, value: Any, place: str) -> None:
        """Set `key`, making the sections above it, and forget the places of what stood there."""
        node = self.values
        for depth, part in enumerate(key[:-1], start=1):
            if not isinstance(node.get(part), dict):
                node[part] = {}
                self.places[key[:depth]] = place
            node = node[part]
        node[key[-1]] = value
        self.forget(key)
        self.places[key] = place

    def forget(self, key: Key) -> None:
        """Drop the places of `key` and of everything below it."""
        for known in [k for k in self.places if k[: len(key)] == key]:
            del self.places[known]

    def merge(self, over: "Document") -> "Document":
        """This document with `over` laid over it, section by section (`extends:`)."""
        values = _overlay(self.values, over.values)
        return Document(values, {**self.places, **over.places})


def _overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _overlay(base[key], value) if both else value
    return merged


def read(path: Path, seen: tuple[Path, ...] = ()) -> Document:
    """Read a recipe file and what it `extends`.

    Relative paths that start with `./` or `../` are meant from the recipe's own folder.

    Raises:
        RecipeError: no such file, not YAML, not a mapping, a key twice, a circle of `extends`.
    """
    path = Path(path)
    if path.resolve() in seen:
        raise RecipeError(f"{path}: extends itself")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RecipeError(f"{path}: cannot read the recipe ({reason})") from None
    document = parse(text, str(path))
    _anchor(document.values, path.parent)
    base = document.values.pop("extends", None)
    if base is None:
        return document
    return read(path.parent / str(base), (*seen, path.resolve())).merge(document)


def parse(text: str, origin: str) -> Document:
    """YAML text -> Document; `origin` is the file name that its places start with."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        document = Document()
        document.values = _build(node, (), origin, document.places) if node else {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{origin}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{origin}: not YAML: {error}") from None
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise RecipeError(f"{origin}:1: a recipe is a mapping of keys to values, not {kind}")
    return document


def parse_override(text: str) -> tuple[Key, Any]:
    """`training.learning_rate=3e-5` -> (("training", "learning_rate"), 3e-5)."""
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise RecipeError(f"command line: '{text}': expected key=value, such as strategy=lora")
    try:
        return tuple(name.split(".")), yaml.load(value, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError:
        raise RecipeError(f"command line: '{text}': the value is not YAML") from None


def _build(node: yaml.Node, key: Key, origin: str, places: dict[Key, str]) -> Any:
    """A node's plain value; notes the place of every mapping key on the way."""
    if isinstance(node, yaml.MappingNode):
        built = {}
        for name, child, line in _items(node, key, origin):
            places[(*key, name)] = f"{origin}:{line}"
            built[name] = _build(child, (*key, name), origin, places)
        return built
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*key, str(i)), origin, places) for i, child in enumerate(node.value)]
    return _Loader("").construct_object(node)


def _items(node: yaml.MappingNode, key: Key, origin: str) -> Iterator[tuple[str, yaml.Node, int]]:
    seen: dict[str, int] = {}
    for name_node, child in node.value:
        name, line = str(name_node.value), name_node.start_mark.line + 1
        if name in seen:
            dotted = ".".join((*key, name))
            raise RecipeError(
                f"{origin}:{line}: '{dotted}' stands twice (first on line {seen[name]})"
            )
        seen[name] = line
        yield name, child, line


def _anchor(values: dict[str, Any], folder: Path) -> None:
    """Make `./x` and `../x` independent of the working directory."""
    for key, value in values.items():
        if isinstance(value, dict):
            _anchor(value, folder)
        elif key != "extends" and isinstance(value, str) and value.startswith(("./", "../")):
            values[key] = str((folder / value).resolve())
