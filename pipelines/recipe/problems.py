"""What pydantic finds wrong with a section -> lines in the words of the recipe."""

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, get_args

from pydantic import BaseModel

from pipelines.core import registry
from pipelines.recipe import hints
from pipelines.recipe.document import Document, children

EXPECTED = {  # pydantic's types of error, in the words of YAML
    "dict_type": "should be keys and values",
    "model_type": "should be keys and values",
    "tuple_type": "should be a list",
}
# sections within `data` whose keys are those of their own source -> how many words lead there
NESTED: dict[tuple[str, ...], int] = {("data", "target"): 2, ("data", "sources"): 3}


def explain(document: Document, key: str, errors: Iterable[Any], kind: Any) -> Iterator[str]:
    """Say pydantic's errors of one section in the words of the recipe.

    Each line has place, key, value and what was expected. Of a value that fits no type of a union
    pydantic reports what each type expects; that is one line here.

    Args:
        key: the section.
        kind: the type that refused it.
    """
    expected: dict[str, list[str]] = {}  # place, key and value -> what was expected
    for error in errors:
        if is_not_finite(error["input"]):
            continue  # `meaningless` reports it
        prefix, message = _explain_one(document, key, error, kind)
        expected.setdefault(prefix, []).append(message)
    for prefix, messages in expected.items():
        others = (message.removeprefix("should be ") for message in messages[1:])
        yield prefix + " or ".join([messages[0], *others])


def is_not_finite(value: Any) -> bool:
    """Return whether a value is a number without a size."""
    return isinstance(value, float) and not isfinite(value)


def _explain_one(document: Document, key: str, error: Any, kind: Any) -> tuple[str, str]:
    """Return what a line about one error begins with, and what was expected."""
    location = (key, *map(str, error["loc"]))
    path = tuple(_existing_path(document, location))
    place, dotted = document.place(path), ".".join(path)
    if error["type"] == "extra_forbidden":
        within, depth = path[1:-1], NESTED.get(path[:2], 0)
        if depth:
            source = document.get((*path[:depth], "source"))
            kind, within = registry.find("sources", source), path[depth:-1]
        hint = hints.of_key(key if len(path) == 2 else "", path[-1], _fields(kind, within))
        return f"{place}: unknown key '{dotted}'; {hint}", ""
    if error["type"] == "missing":
        return f"{place}: missing key '{'.'.join(location)}'", ""
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = document.get(path)
    # a whole section would bury the message
    shown = "" if isinstance(value, dict) else f"{'null' if value is None else repr(value)}: "
    return f"{place}: {dotted}: {shown}", EXPECTED.get(error["type"], message)


def _existing_path(document: Document, location: Iterable[str]) -> Iterator[str]:
    """Yield the words of a pydantic location that exist in the recipe (union branches do not)."""
    node: Any = document.values
    for word in location:
        if word in children(node):
            node = children(node)[word]
            yield word


def _fields(kind: Any, path: Iterable[str]) -> set[str]:
    """Return the keys known at `path` below a section's type."""
    section = model_in(kind)
    for word in (word for word in path if not word.isdecimal()):  # numbers count through a list
        section = section and model_in(section.model_fields[word].annotation)
    return set(section.model_fields) if section else set()


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as `EarlyStopping | None`, if there is one."""
    options = (annotation, *get_args(annotation))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
