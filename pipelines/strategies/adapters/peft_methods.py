"""The methods of the installed peft and their fields, read from its source without importing it.

Importing peft takes seconds, and a misspelt key should be refused at once. Nothing is redeclared:
the fields are those of the installed version.
"""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipelines.core.errors import RecipeError, suggest

# given by recipe, checkpoint and task, or written when an adapter is saved
OURS = {"base_model_name_or_path", "revision", "peft_type", "task_type", "inference_mode"}
OURS |= {"auto_mapping", "peft_version"}


@cache
def fields() -> dict[str, tuple[str, ...]]:
    """Return peft_type -> the names of its configuration's fields."""
    classes = {node.name: node for file in _files() for node in _classes(file)}
    declared = {_type(node): _fields(node, classes) for node in classes.values()}
    return {name: tuple(sorted({*names} - OURS)) for name, names in declared.items() if name}


def of(peft_type: str) -> tuple[str, ...]:
    """Return the fields of one method.

    Raises:
        RecipeError: peft knows no such method; lists the known ones and the nearest.
    """
    if peft_type not in fields():
        raise RecipeError(f"no such method of peft; {suggest(peft_type, fields(), limit=60)}")
    return fields()[peft_type]


def _files() -> Iterator[Path]:
    spec = find_spec("peft")
    assert spec is not None
    assert spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    yield from (root / "config.py", *root.glob("tuners/*.py"), *root.glob("tuners/*/config.py"))


def _classes(file: Path) -> Iterator[ast.ClassDef]:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return (node for node in body if isinstance(node, ast.ClassDef))


def _type(node: ast.ClassDef) -> str | None:
    """Return the X of `self.peft_type = PeftType.X`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign) and ast.unparse(inner.targets[0]) == "self.peft_type":
            return ast.unparse(inner.value).rpartition(".")[2]
    return None


def _fields(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    """Yield the fields that a dataclass declares or inherits."""
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id
    for base in map(ast.unparse, node.bases):
        if base in classes:
            yield from _fields(classes[base], classes)
