"""What pydantic finds wrong with a section -> lines in the words of the recipe."""

import re
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from pipelines.recipe import hints
from pipelines.recipe.document import Document, Key, children

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
EXPECTED = {  # pydantic's types of error, in the words of YAML
    "dict_type": "should be keys and values",
    "model_type": "should be keys and values",
    "tuple_type": "should be a list",
}


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
        if _is_not_finite(error["input"]):
            continue  # `meaningless` reports it
        prefix, message = _explain_one(document, key, error, kind)
        expected.setdefault(prefix, []).append(message)
    for prefix, messages in expected.items():
        others = (message.removeprefix("should be ") for message in messages[1:])
        yield prefix + " or ".join([messages[0], *others])


def meaningless(document: Document) -> Iterator[str]:
    """Report what no key has a meaning for: NaN and infinite numbers, control characters."""
    for path, value in _leaves(document.values, ()):
        place = f"{document.place(path)}: {'.'.join(path)}"
        if _is_not_finite(value):
            yield f"{place}: {value}: should be a finite number"
        # tables are separated by whatever their writer chose
        if isinstance(value, str) and CONTROL.search(value) and path != ("data", "separator"):
            yield f"{place}: {value!r}: should be text without control characters"


def name_problems(document: Document) -> Iterator[str]:
    """Report a name that no folder of runs can have; other problems with it are its type's."""
    name = document.values.get("name")
    if isinstance(name, str) and (name in {"", ".", ".."} or Path(name).name != name):
        where = document.place(("name",))
        yield (
            f"{where}: name: {name!r}: cannot name a run folder; expected a word such as bert_sst2"
        )


def misplaced_training_keys(document: Document) -> Iterator[str]:
    """Report fields of TrainingArguments that have another place in a recipe."""
    for name in children(document.get(("training",))):
        if name == "push_to_hub" or name.startswith("hub_"):
            where = document.place(("training", name))
            token = "; a token never belongs in a recipe: set HF_TOKEN" if "token" in name else ""
            yield f"{where}: 'training.{name}': pushing is the recipe's section 'hub'{token}"


def _leaves(node: Any, path: Key) -> Iterator[tuple[Key, Any]]:
    below = children(node)
    if not below:
        yield path, node
    for name, child in below.items():
        yield from _leaves(child, (*path, name))


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _explain_one(document: Document, key: str, error: Any, kind: Any) -> tuple[str, str]:
    """Return what a line about one error begins with, and what was expected."""
    location = (key, *map(str, error["loc"]))
    path = tuple(_existing_path(document, location))
    place, dotted = document.place(path), ".".join(path)
    if error["type"] == "extra_forbidden":
        hint = hints.of_key(key if len(path) == 2 else "", path[-1], _fields(kind, path[1:-1]))
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
    for word in path:
        section = section and model_in(section.model_fields[word].annotation)
    return set(section.model_fields) if section else set()


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as `EarlyStopping | None`, if there is one."""
    options = (annotation, *get_args(annotation))
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
