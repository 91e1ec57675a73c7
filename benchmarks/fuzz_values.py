"""Values for the keys of a recipe, right ones and wrong ones, from the schema of recipes."""

from collections.abc import Iterator
from random import Random
from typing import Any

Node = dict[str, Any]

# of any type, for any key
WRONG: tuple[Any, ...] = (
    None,
    "",
    " ",
    "null",
    "nan",
    float("nan"),
    float("inf"),
    -1,
    0,
    -0.0,
    0.5,
    1e-320,
    1e308,
    10**30,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": ""},
    {"a": {"b": {"c": 1}}},
    "a" * 3000,
    "\x00",
    "\u202e\u2028",
    "é😀",
    "../..",
    "./nowhere",
    "~",
    "/dev/null",
    "/proc/self",
    "%s%n{}",
    "${HOME}",
    "1,2,3",
    "2024-01-01",
    "!!python/object:os.system",
    "*",
    "lora",
    "text",
    "label",
    "train",
    "auto",
)
NUMBERS: tuple[float, ...] = (0, 1, 2, 3, 7, 64, 0.1, 0.5, 0.9, 1e-5, 1.5, -1, 1e6)
NAMES = ("text", "label", "train", "test", "validation", "accuracy", "f1", "head", "bert", "x")
# what a machine, or patience, would not survive: key -> largest number
LARGEST = {
    "dataloader_num_workers": 2,
    "dataloader_prefetch_factor": 4,
    "draws": 3,
    "freeze_epochs": 2,
    "max_steps": 3,
    "minutes": 0.05,
    "num_train_epochs": 2,
}


def value(schema: Node, node: Node, key: str, random: Random, depth: int = 0) -> Any:
    """Draw a value that the schema allows at `node`, nearly always."""
    node = resolved(schema, node)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return random.choice(node["enum"])
    if "anyOf" in node:
        return value(schema, random.choice(node["anyOf"]), key, random, depth)
    kind = node.get("type")
    if kind in ("integer", "number"):
        return _number(node, key, random)
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "null":
        return None
    if kind == "array" and depth < 4:
        items = node.get("items", {})
        return [value(schema, items, key, random, depth + 1) for _ in range(random.randrange(4))]
    if kind == "object" and depth < 4:
        return _mapping(schema, node, random, depth)
    return random.choice(NAMES)


def wrong(key: str, random: Random) -> Any:
    """Draw a value that is hardly right."""
    chosen = random.choice(WRONG)
    return _limited(key, chosen) if isinstance(chosen, int | float) else chosen


def resolved(schema: Node, node: Node) -> Node:
    """Follow the references of a node."""
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def paths(schema: Node, values: Any, node: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield every key that a recipe with these values may hold, and the node of its value."""
    node = resolved(schema, node)
    for branch in node.get("anyOf", ()):
        if _fits(schema, branch, values):
            yield from paths(schema, values, branch)
    below = values if isinstance(values, dict) else {}
    for name, child in node.get("properties", {}).items():
        yield (name,), child
        if name in below:
            yield from (((name, *path), at) for path, at in paths(schema, below[name], child))


def _fits(schema: Node, branch: Node, values: Any) -> bool:
    """Return whether a branch is of the kind that `values` name."""
    properties = resolved(schema, branch).get("properties", {})
    below = values if isinstance(values, dict) else {}
    return all(below.get(name) == at["const"] for name, at in properties.items() if "const" in at)


def _mapping(schema: Node, node: Node, random: Random, depth: int) -> Node:
    """Draw the required keys of a mapping, and a few others."""
    properties = node.get("properties", {})
    names = [name for name in properties if name in node.get("required", ())]
    if properties:
        names += random.sample(sorted(properties), k=random.randrange(min(3, len(properties)) + 1))
    drawn = {name: value(schema, properties[name], name, random, depth + 1) for name in names}
    if not properties and random.random() < 0.5:
        drawn[random.choice(NAMES)] = random.choice(NAMES)
    return drawn


def _number(node: Node, key: str, random: Random) -> float:
    """Draw a number near one of the limits, or a usual one."""
    limits = [node[name] for name in ("minimum", "maximum", "exclusiveMinimum") if name in node]
    drawn = random.choice([*limits, *NUMBERS])
    drawn = int(drawn) if node["type"] == "integer" else drawn
    return _limited(key, drawn)


def _limited(key: str, number: float) -> float:
    return min(number, LARGEST[key]) if key in LARGEST else number
