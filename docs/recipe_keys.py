"""The keys of a recipe as tables in Markdown, from the pydantic classes that check it."""

import json
from collections.abc import Callable, Iterable, Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipelines import recipe
from pipelines.core import registry
from pipelines.recipe import staged

Row = tuple[str, ...]


def table(header: Row, rows: Iterable[Row]) -> str:
    """Format a table in Markdown."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def escape(text: str) -> str:
    """Keep a vertical bar from ending a cell, and a word in brackets from being read as HTML."""
    return text.replace("|", r"\|").replace("<", "&lt;")


def top_level_keys() -> str:
    """List the sections of a recipe, and what else stands at its top level."""
    rows = [("`extends`", "text", "", "a recipe to start from; what this one says comes on top")]
    rows += [("`stages`", "list", "", staged.DESCRIPTION)]
    rows += [
        (f"`{key}`", section_kind(key, field), default(field), field_description(field))
        for key, field in recipe.Recipe.model_fields.items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def section_kind(key: str, field: FieldInfo) -> str:
    """Describe what may stand under a top-level key."""
    if key in recipe.KINDS:
        kind_key, package = recipe.KINDS[key]
        return f"keys; `{kind_key}` is one of the {package}"
    return kind(field.annotation)


def section_keys(key: str) -> Callable[[], str]:
    """Return a function that lists the keys of a section that has no kinds."""

    def keys() -> str:
        section = model_in(recipe.Recipe.model_fields[key].annotation)
        assert section
        return key_table(fields(section, f"{key}."))

    return keys


def shared_data_keys() -> str:
    """List the keys that every source has."""
    return key_table(fields(base("data"), "data.", {"source"}))


def kind_keys(key: str) -> Callable[[], str]:
    """Return a function that lists, kind by kind, the keys that only this kind has."""

    def keys() -> str:
        kind_key, package = recipe.KINDS[key]
        shared = {kind_key, *base(key).model_fields}
        alike: dict[Row, list[str]] = {}  # kinds that share a key with the same meaning
        for name in registry.names(package):
            for row in fields(registry.find(package, name), f"{key}.", shared):
                alike.setdefault(row, []).append(f"`{name}`")
        rows = (
            (keys, ", ".join(kinds), value, usual, meaning)
            for (keys, value, usual, meaning), kinds in alike.items()
        )
        return table(("key", kind_key, "value", "default", "meaning"), rows)

    return keys


def base(key: str) -> type[BaseModel]:
    """Return the base class of a section's kinds."""
    section = model_in(recipe.Recipe.model_fields[key].annotation)
    assert section
    return section


def key_table(rows: Iterable[Row]) -> str:
    """Format keys as a table."""
    return table(("key", "value", "default", "meaning"), rows)


def fields(section: type[BaseModel], prefix: str, without: Iterable[str] = ()) -> Iterator[Row]:
    """Yield (key, value, default, meaning) for each key; nested sections in dotted keys."""
    for name, field in section.model_fields.items():
        if name in without:
            continue
        nested = model_in(field.annotation)
        if nested and not is_shown_whole(field):
            yield from fields(nested, f"{prefix}{name}.")
        else:
            meaning = field_description(field)
            yield f"`{prefix}{name}`", kind(field.annotation), default(field), meaning


def is_shown_whole(field: FieldInfo) -> bool:
    """Tell whether a nested section is off by default, so that its keys are not always there."""
    default = field.get_default(call_default_factory=False)
    return not field.is_required() and (default is None or default == ())


def field_description(field: FieldInfo) -> str:
    """Return a field's description, else the first sentence of its section's docstring."""
    if field.description:
        return escape(field.description)
    section = model_in(field.annotation)
    text = ((section and section.__doc__) or "").partition("\n")[0].rstrip(".")
    return escape(text[:1].lower() + text[1:])


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as `EarlyStopping | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (
        model_in(option) for option in get_args(annotation) if get_origin(annotation) is not dict
    )
    return next((section for section in inner if section), None)


WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
WORDS |= {dict: "keys and values", list: "list", tuple: "list", Any: "any value"}


def kind(annotation: Any) -> str:
    """Describe the values that an annotation accepts, in the words of YAML."""
    origin, options = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{yaml(option)}`" for option in options)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(kind(option) for option in options))
    if origin in WORDS:
        return WORDS[origin]
    if origin is not None:  # Annotated
        return kind(options[0])
    return "keys" if model_in(annotation) else WORDS.get(annotation, "text")


def default(field: FieldInfo) -> str:
    """Format a field's default; empty for a section, whose keys have defaults of their own."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=False)
    if isinstance(value, BaseModel) or field.default_factory or value in ("", {}, (), []):
        return ""
    return f"`{yaml(value)}`"


def yaml(value: Any) -> str:
    """Format a value as a recipe has it: true, null, 0.1, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


PARTS: dict[str, Callable[[], str]] = {
    "keys": top_level_keys,
    "shared data keys": shared_data_keys,
}
PARTS |= {f"{key} keys": kind_keys(key) for key in recipe.KINDS}
PARTS |= {
    f"{key} keys": section_keys(key)
    for key, field in recipe.Recipe.model_fields.items()
    if key not in recipe.KINDS and model_in(field.annotation)
}
