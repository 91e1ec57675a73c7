"""The values of a recipe, each with the place (file and line) that set it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.core.errors import RecipeError
from pipelines.core.regular_files import real_path

Key = tuple[str, ...]

COMMAND_LINE = "command line"  # the place of overrides, unless they come from elsewhere


class Override(NamedTuple):
    """A value that replaces the recipe's, and the place that sets it."""

    key: Key
    value: Any
    place: str = COMMAND_LINE


@dataclass
class Document:
    """The tree of values of a recipe, and for each key the place (file:line) that set it."""

    origin: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)

    def place(self, key: Iterable[str]) -> str:
        """Return where `key`, or the nearest key above it, was set."""
        path = tuple(key)
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.origin)

    def get(self, key: Key) -> Any:
        """Return the value at `key`, numbers counting through lists; None where there is none."""
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
        # messages would point to lines whose values are gone
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
    """Return the children of a node of a document, by key or by number."""
    if isinstance(node, list):
        return {str(i): child for i, child in enumerate(node)}
    return node if isinstance(node, dict) else {}


def from_values(values: Any, origin: str) -> Document:
    """Make a document of plain Python values, each with the place `origin`.

    Raises:
        RecipeError: `values` is no mapping.
    """
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise RecipeError(f"{origin}: a recipe is a mapping of keys to values, not {kind}")
    return Document(origin, anchored(plain(values, origin), Path.cwd()))


def plain(value: Any, origin: str) -> Any:
    """Convert a value of Python into what YAML would give: str keys, lists, paths as text.

    Raises:
        RecipeError: a value contains itself.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise RecipeError(f"{origin}: a value contains itself, or is nested too deep") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return str(value) if isinstance(value, Path) else value


def anchored(value: Any, folder: Path) -> Any:
    """Make `./x` and `../x` in a value independent of the working directory."""
    if isinstance(value, dict):
        return {key: anchored(child, folder) for key, child in value.items()}
    if isinstance(value, list):
        return [anchored(child, folder) for child in value]
    # nothing else is taken for a path: `owner/name` is a Hub id
    is_path = isinstance(value, str) and value.startswith(("./", "../"))
    return str(real_path(folder / value)) if is_path else value
