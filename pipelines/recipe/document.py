"""Recipe text -> plain values that remember where they stand.

YAML is read by PyYAML's safe loader, with three repairs: `2e-5` is a number (YAML 1.1 reads it
as a string), `no` is a word (YAML 1.1 reads it as false, and `eval_strategy: no` means it), and
a key that stands twice is an error. Overrides from the command line
(`training.learning_rate=3e-5`) are read by the same rules and carry their own place.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipelines.core.errors import RecipeError

Key = tuple[str, ...]
COMMAND_LINE = "command line"  # the place of an override


class Override(NamedTuple):
    """A value that is laid over a recipe's, and the place that says so."""

    key: Key
    value: Any
    place: str = COMMAND_LINE


class _Loader(yaml.SafeLoader):
    """The safe loader with the numbers and the truth values of YAML 1.2."""


BOOL, FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"
NUMBER, TRUTH = r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", "true|True|TRUE|false|False|FALSE"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(FLOAT, re.compile(f"^({NUMBER})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(BOOL, re.compile(f"^({TRUTH})$"), list("tTfF"))


@dataclass
class Document:
    """The tree of values of a recipe, and for each key the place (file:line) that set it."""

    origin: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)

    def place(self, key: Iterable[str]) -> str:
        """Where `key`, or the nearest key above it, was set."""
        path = tuple(key)
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.origin)

    def get(self, key: Key) -> Any:
        """The value at `key`, numbers counting through lists; None where nothing was said."""
        node: Any = self.values
        for part in key:
            node = children(node).get(part)
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
        for below in [known for known in self.places if known[: len(key)] == key]:
            del self.places[below]
        self.places[key] = place

    def merge(self, over: "Document", section: Key = ()) -> None:
        """Lay `over` over this document, section by section (`extends:`)."""
        for name, value in over.get(section).items():
            key = (*section, name)
            if isinstance(value, dict) and isinstance(self.get(key), dict):
                self.merge(over, key)
            else:
                self.put(key, value, over.place(key))
                self.places |= {k: p for k, p in over.places.items() if k[: len(key)] == key}


def children(node: Any) -> dict[str, Any]:
    """What stands below a node of a document, by key or by number."""
    if isinstance(node, list):
        return {str(i): child for i, child in enumerate(node)}
    return node if isinstance(node, dict) else {}


def layers(path: Path, above: tuple[Path, ...] = (), wanted: str = "") -> list[Document]:
    """A recipe file and before it what it `extends`: each is to be laid over the ones before.

    Relative paths that start with `./` or `../` are meant from the folder of the file that says
    them.

    Args:
        above: the files that led here.
        wanted: the place that asks for this file.

    Raises:
        RecipeError: no such file, not YAML, not a mapping, a key twice, a circle of `extends`.
    """
    asked = f"{wanted}: extends: " if wanted else ""
    if path.resolve() in above:
        raise RecipeError(f"{asked}{path} leads back to itself")
    document = read(path, f"{asked}{path}: cannot read the recipe")
    base = document.values.pop("extends", None)
    if base is None:
        return [document]
    place = document.place(("extends",))
    if not isinstance(base, str):
        raise RecipeError(f"{place}: extends: {base!r}: expected the path of one recipe")
    return [*layers(path.parent / base, (*above, path.resolve()), place), document]


def read(path: Path, refusal: str) -> Document:
    """One YAML file; `./x` and `../x` in it are meant from its folder."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise RecipeError(f"{refusal} ({reason})") from None
    document = parse(text, str(path))
    document.values = anchored(document.values, path.parent)
    return document


def parse(text: str, origin: str) -> Document:
    """YAML text -> Document; `origin` is the file name that its places start with."""
    try:
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
        raise RecipeError(f"{origin}: not YAML: something stands inside itself") from None
    if not isinstance(document.values, dict):
        kind = type(document.values).__name__
        raise RecipeError(f"{origin}:1: a recipe is a mapping of keys to values, not {kind}")
    return document


def parse_override(text: str, place: str = COMMAND_LINE) -> Override:
    """`training.learning_rate=3e-5` -> (("training", "learning_rate"), 3e-5), and its place."""
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise RecipeError(f"{place}: '{text}': expected key=value, such as strategy=lora")
    try:
        return Override(tuple(name.split(".")), value_of(value), place)
    except (yaml.YAMLError, ValueError):
        raise RecipeError(f"{place}: '{text}': the value is not YAML") from None


def from_values(values: Any, origin: str) -> Document:
    """Plain Python values -> Document, every key of which has the place `origin`.

    Raises:
        RecipeError: `values` is no mapping.
    """
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise RecipeError(f"{origin}: a recipe is a mapping of keys to values, not {kind}")
    return Document(origin, anchored(plain(values), Path.cwd()))


def plain(value: Any) -> Any:
    """Convert a value of Python into what YAML would give: str keys, lists, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [plain(child) for child in value]
    return str(value) if isinstance(value, Path) else value


def value_of(text: str) -> Any:
    """What a text means as YAML: `3e-5` a number, `[1, 2]` a list."""
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def _build(node: yaml.Node, key: Key, origin: str, places: dict[Key, str]) -> Any:
    """A node's plain value; notes the place of every mapping key on the way."""
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


def anchored(value: Any, folder: Path) -> Any:
    """`value` with `./x` and `../x` independent of the working directory."""
    if isinstance(value, dict):
        return {key: anchored(child, folder) for key, child in value.items()}
    if isinstance(value, list):
        return [anchored(child, folder) for child in value]
    is_path = isinstance(value, str) and value.startswith(("./", "../"))
    return str((folder / value).resolve()) if is_path else value
