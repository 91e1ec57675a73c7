"""A metric's file -> what it declares, without importing it, which would take `evaluate`'s time."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.core import python_source
from pipelines.core.contract import SCORES
from pipelines.core.errors import RecipeError

INPUTS = frozenset({"predictions", SCORES, "references"})  # what are no options


@dataclass(frozen=True)
class MetricDeclaration:
    """What a metric's source declares.

    Attributes:
        parameters: its options; `**` if it takes any.
        inputs: what it takes of predictions, scores and references.
        problem_types: those that it can score; None if the source does not list them.
        greater_is_better: None if the source does not assign it a constant.
        key: the first key of its scores; None if the source does not spell it out.
    """

    parameters: set[str]
    inputs: frozenset[str]
    problem_types: tuple[str, ...] | None
    greater_is_better: bool | None
    key: str | None

    @property
    def takes_scores(self) -> bool:
        """Whether it takes probabilities, beside predictions or instead of them."""
        return SCORES in self.inputs


def read(path: Path) -> MetricDeclaration:
    """Parse a metric's file.

    Raises:
        RecipeError: it is not Python, or there is no metric in it.
    """
    nodes = list(ast.walk(python_source.parse(path, str(path))))
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    if "_compute" not in functions:
        raise RecipeError(f"{path}: not an `evaluate` metric: it has no method _compute")
    compute = functions["_compute"]
    # an attribute of the class, or of the module: wherever it is assigned
    constants = dict(_constants(nodes))
    names = _parameters(compute.args)
    return MetricDeclaration(
        names - INPUTS - {"self"},
        INPUTS & names,
        constants.get("problem_types"),
        constants.get("greater_is_better"),
        next(_returned_keys(compute), None),
    )


def _parameters(signature: ast.arguments) -> set[str]:
    names = {argument.arg for argument in (*signature.args, *signature.kwonlyargs)}
    return names | ({"**"} if signature.kwarg else set())


def _constants(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of every assignment of a constant, or of a tuple of constants."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Tuple):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:  # a tuple of names
                continue
            yield from ((t.id, value) for t in node.targets if isinstance(t, ast.Name))


def _returned_keys(compute: ast.FunctionDef) -> Iterator[str]:
    """Yield the constant keys of the dictionaries that a function returns."""
    for node in ast.walk(compute):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            yield from (str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
