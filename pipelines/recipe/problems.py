"""What pydantic finds wrong with a section -> lines in the words of the recipe."""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel

from pipelines.core.errors import suggest
from pipelines.recipe.document import Document, children

EXPECTED = {  # pydantic's types of error, in the words of YAML
    "dict_type": "should be keys and values",
    "model_type": "should be keys and values",
    "tuple_type": "should be a list",
}


def explain(document: Document, key: str, error: Any, kind: Any) -> str:
    """One pydantic error in the words of the recipe."""
    said = (key, *map(str, error["loc"]))
    path = tuple(_real_path(document, said))
    where, dotted = document.place(path), ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key '{dotted}'; {suggest(path[-1], _fields(kind, path[1:-1]))}"
    if error["type"] == "missing":
        return f"{where}: missing key '{'.'.join(said)}'"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = document.get(path)
    told = "" if isinstance(value, dict) else f"{'null' if value is None else repr(value)}: "
    return f"{where}: {dotted}: {told}{EXPECTED.get(error['type'], message)}"


def _real_path(document: Document, loc: Iterable[str]) -> Iterator[str]:
    """The part of a pydantic location that exists in the recipe (union branches do not)."""
    node: Any = document.values
    for part in loc:
        if part in children(node):
            node = children(node)[part]
            yield part


def _fields(kind: Any, path: Iterable[str]) -> set[str]:
    """The keys known at `path` below a section's type."""
    kind = _model_in(kind)
    for part in path:
        kind = _model_in(kind.model_fields[part].annotation)
    return set(kind.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """The section class in an annotation such as `EarlyStopping | None`."""
    options = (annotation, *get_args(annotation))
    return next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
