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
    """Say one pydantic error in the words of the recipe: place, key, value, what was expected."""
    location = (key, *map(str, error["loc"]))
    path = tuple(_existing_path(document, location))
    place, dotted = document.place(path), ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key '{dotted}'; {suggest(path[-1], _fields(kind, path[1:-1]))}"
    if error["type"] == "missing":
        return f"{place}: missing key '{'.'.join(location)}'"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = document.get(path)
    # a whole section would bury the message
    shown = "" if isinstance(value, dict) else f"{'null' if value is None else repr(value)}: "
    return f"{place}: {dotted}: {shown}{EXPECTED.get(error['type'], message)}"


def _existing_path(document: Document, location: Iterable[str]) -> Iterator[str]:
    """Yield the words of a pydantic location that exist in the recipe (union branches do not)."""
    node: Any = document.values
    for word in location:
        if word in children(node):
            node = children(node)[word]
            yield word


def _fields(kind: Any, path: Iterable[str]) -> set[str]:
    """Return the keys known at `path` below a section's type."""
    kind = _model_in(kind)
    for word in path:
        kind = _model_in(kind.model_fields[word].annotation)
    return set(kind.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Return the section class in an annotation such as `EarlyStopping | None`."""
    options = (annotation, *get_args(annotation))
    return next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
