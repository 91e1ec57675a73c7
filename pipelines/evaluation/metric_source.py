"""A metric's file -> what it declares, without importing it: that would take `evaluate`'s time."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.core.errors import RecipeError


@dataclass(frozen=True)
class Declared:
    """What a metric says of itself in its source.

    Attributes:
        parameters: what it takes beside the data; `**` for anything.
        greater_is_better: None where it does not say so in plain words.
        key: the first key of the scores that it gives; None where it is not spelled out.
    """

    parameters: set[str]
    greater_is_better: bool | None
    key: str | None


def read(path: Path) -> Declared:
    """Parse a metric's file.

    Raises:
        RecipeError: there is no metric in it.
    """
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    if "_compute" not in functions:
        raise RecipeError(f"{path}: not an `evaluate` metric: it has no _compute")
    compute = functions["_compute"]
    better = dict(_constants(nodes)).get("greater_is_better")
    return Declared(_parameters(compute.args), better, next(_keys(compute), None))


def _parameters(taken: ast.arguments) -> set[str]:
    names = {argument.arg for argument in (*taken.args, *taken.kwonlyargs)}
    return (names | ({"**"} if taken.kwarg else set())) - {"self", "predictions", "references"}


def _constants(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, Any]]:
    """(name, value) wherever a name is given a plain value."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield from ((t.id, node.value.value) for t in node.targets if isinstance(t, ast.Name))


def _keys(compute: ast.FunctionDef) -> Iterator[str]:
    """The keys of the dictionaries that a function gives back."""
    for node in ast.walk(compute):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            yield from (str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
