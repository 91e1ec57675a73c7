"""YAML nodes -> plain values with the line of each; what no recipe can mean is refused.

Nodes are built here and not by PyYAML, since only nodes know their lines, and since it would follow
an anchor wherever it leads.
"""

from collections.abc import Callable, Iterator
from typing import Any

import yaml

from pipelines.recipe.document import Key

MAX_DEPTH = 50  # levels of nesting; the deepest key of a recipe is on the fifth
MAX_NODES = 100_000  # keys and items, counted at each alias of an anchor
MAX_CHARACTERS = 5_000_000  # of all values, counted as keys and items are
PLAIN_TAGS: dict[type[yaml.Node], str] = {
    yaml.MappingNode: "tag:yaml.org,2002:map",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
}
# PyYAML's constructors raise these for a value that does not fit its tag (`!!bool x`)
UNFIT = (ValueError, KeyError, AttributeError, TypeError, OverflowError)


class RefusedNode(yaml.MarkedYAMLError):
    """A node that is YAML, and that no recipe can mean."""

    def __init__(self, node: yaml.Node, problem: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class NodeBuilder:
    """Builds the values of one document.

    Attributes:
        lines: each key and item -> the line that it starts on, counted from 1.

    Args:
        scalar: node -> value.
    """

    def __init__(self, scalar: Callable[[yaml.Node], Any]) -> None:
        self.lines: dict[Key, int] = {}
        self._num_characters = 0
        self._scalar = scalar

    def build(self, node: yaml.Node, key: Key = (), above: tuple[yaml.Node, ...] = ()) -> Any:
        """Build the value of a node, which stands at `key` and below the nodes `above`.

        Raises:
            RefusedNode: an unknown tag, a value that does not fit its tag, a key that is set twice,
                or aliases and nesting without end.
        """
        if any(node is other for other in above):
            raise RefusedNode(node, "an anchor contains itself")
        if len(above) > MAX_DEPTH:
            raise too_deep(node)
        if len(self.lines) > MAX_NODES:
            raise RefusedNode(node, f"more than {MAX_NODES:,} keys and items, aliases included")
        expected = PLAIN_TAGS.get(type(node))
        if expected is None:
            return self._build_scalar(node)
        if node.tag != expected:
            raise RefusedNode(node, f"unknown tag '{_short(node.tag)}'; remove it")
        children = _items(node, key) if isinstance(node, yaml.MappingNode) else _numbered(node)
        built = {}
        for name, child, line in children:
            self.lines[(*key, name)] = line
            built[name] = self.build(child, (*key, name), (*above, node))
        return built if isinstance(node, yaml.MappingNode) else [*built.values()]

    def _build_scalar(self, node: yaml.Node) -> Any:
        self._num_characters += len(node.value)
        if self._num_characters > MAX_CHARACTERS:
            raise RefusedNode(node, f"more than {MAX_CHARACTERS:,} characters, aliases included")
        try:
            return self._scalar(node)
        except yaml.constructor.ConstructorError:
            raise RefusedNode(node, f"unknown tag '{_short(node.tag)}'; remove it") from None
        except UNFIT as error:
            kind = _short(node.tag).removeprefix("!!")
            reason = f" ({error})" if isinstance(error, ValueError) else ""
            raise RefusedNode(node, f"'{node.value}' is no {kind}{reason}") from None


def too_deep(node: Any) -> RefusedNode:
    """Refuse a node (or event) because it lies below too many others."""
    return RefusedNode(node, f"nested deeper than {MAX_DEPTH} levels")


def _items(node: yaml.Node, key: Key) -> Iterator[tuple[str, yaml.Node, int]]:
    """Yield (name, value, line) of a mapping."""
    seen: dict[str, int] = {}
    for name_node, child in node.value:
        if not isinstance(name_node, yaml.ScalarNode):
            raise RefusedNode(name_node, "a key is a word, not a list or a mapping")
        name, line = str(name_node.value), name_node.start_mark.line + 1
        if name in seen:
            dotted = ".".join((*key, name))
            raise RefusedNode(name_node, f"'{dotted}' is set twice (first on line {seen[name]})")
        seen[name] = line
        yield name, child, line


def _numbered(node: yaml.Node) -> Iterator[tuple[str, yaml.Node, int]]:
    """Yield (number, value, line) of a list."""
    for number, child in enumerate(node.value):
        yield str(number), child, child.start_mark.line + 1


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
