"""Reading a space: `key=values` on the command line, or the same as a YAML file.

    training.learning_rate=1e-5..1e-3      a range; logarithmic where it spans a decade or more
    strategy=full,lora                     choices
    strategy.r=4..16                       integers; only for the strategies that have the key

YAML also allows lists, `{low, high, log, step}`, nested sections, and values for single strategies:
`training.learning_rate: {full: 1e-5..1e-4, lora: 1e-4..1e-3}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.recipe import yaml_reader
from pipelines.recipe.document import Document, Key, plain
from pipelines.recipe.yaml_reader import value_of
from pipelines.tuning.search.space import STRATEGY, Dimension, Space
from pipelines.tuning.search.values import Choices, Range, Values, as_text

RANGE = re.compile(r"(?P<low>[^.\s]\S*?)\s*\.\.\s*(?P<high>\S+)")


class SpaceItem(NamedTuple):
    """A key, a description of the values that it may take, and the place of both."""

    key: Key
    value: Any
    place: str


def load(texts: Iterable[str], option: str = "--space") -> Space:
    """Read `key=values` items and YAML files; an invalid item is a problem of the space.

    Args:
        option: of the command line that messages name.

    Raises:
        RecipeError: neither an item nor a readable file, or nothing in it.
    """
    items = [item for text in texts for item in _items(text, option)]
    return _space(items, f"command line: {option}: nothing to search in it")


def from_values(values: Mapping[str, Any], place: str) -> Space:
    """Make a space of dotted keys and their values, such as `{"strategy": ["full", "lora"]}`.

    Args:
        place: what messages name instead of a file and a line.

    Raises:
        RecipeError: there is nothing in it, or a key is none.
    """
    for name in values:
        if not isinstance(name, str) or not all(name.split(".")):
            raise RecipeError(f"{place}: {name!r}: expected a key as text, such as 'strategy'")
    items = [
        SpaceItem(_canonical(tuple(n.split("."))), plain(v, place), place)
        for n, v in values.items()
    ]
    return _space(items, f"{place}: holds no key; expected one such as strategy")


def _space(items: Iterable[SpaceItem], refusal: str) -> Space:
    """Make a space of items; an invalid one is a problem of the space.

    Raises:
        RecipeError: the refusal, where there is no item.
    """
    dimensions: list[Dimension] = []
    problems: list[str] = []
    for item in items:
        try:
            dimensions += _dimensions(item)
        except RecipeError as error:
            problems.append(f"{item.place}: {'.'.join(item.key)}: {error}")
    if not dimensions and not problems:
        raise RecipeError(refusal)
    # the sort is stable: all other dimensions stay in the order of the user
    strategy_first = sorted(dimensions, key=lambda d: d.key != STRATEGY)
    return Space(tuple(strategy_first), tuple(problems))


def _items(text: str, option: str) -> Iterator[SpaceItem]:
    """Yield the item that `text` is, or each item of the file that it names."""
    if "=" in text:
        key, value, place = yaml_reader.parse_override(text)
        yield SpaceItem(_canonical(key), value, place)
        return
    refusal = f"{option} {text}: neither key=values nor a readable file"
    document = yaml_reader.read(Path(text), refusal)
    yield from _leaves(document, document.values, ())


def _leaves(document: Document, node: dict[str, Any], path: Key) -> Iterator[SpaceItem]:
    """Yield the items of a file, whose keys may be nested sections or dotted names."""
    for name, value in node.items():
        key = (*path, name)
        is_section = isinstance(value, dict) and not (
            value.keys() & {"low", "high"} or _is_by_strategy(value)
        )
        if is_section:
            yield from _leaves(document, value, key)
        else:
            # `training.learning_rate:` may be one key of the file
            dotted = tuple(".".join(key).split("."))
            yield SpaceItem(_canonical(dotted), value, document.place(key))


def _canonical(key: Key) -> Key:
    # both spellings of the key mean the strategy, as in a recipe
    return STRATEGY if key == ("strategy", "name") else key


def _is_by_strategy(value: dict[str, Any]) -> bool:
    return bool(value) and value.keys() <= {*registry.names("strategies")}


def _dimensions(item: SpaceItem) -> Iterator[Dimension]:
    if isinstance(item.value, dict) and _is_by_strategy(item.value):
        for strategy, value in item.value.items():
            yield Dimension(item.key, _values(value), item.place, strategy)
    else:
        yield Dimension(item.key, _values(item.value), item.place)


def _values(described: Any) -> Values:
    """Make the values of a key from a text, a list or a mapping."""
    if isinstance(described, str):
        bounds = RANGE.fullmatch(described)
        if bounds:
            described = {name: value_of(bound) for name, bound in bounds.groupdict().items()}
        else:
            described = [value_of(text.strip()) for text in described.split(",")]
    if isinstance(described, dict):
        return _range(described)
    listed = described if isinstance(described, list) else [described]
    # a value that occurs twice would be drawn twice as often
    texts = tuple(dict.fromkeys(as_text(value) for value in listed if value not in ("", None)))
    if len(texts) < 2:
        raise RecipeError(
            f"{', '.join(texts) or 'nothing'}: expected several values (a,b or low..high); set a "
            "single value as an override: key=value"
        )
    return Choices(texts)


def _range(fields: dict[str, Any]) -> Range:
    try:
        return Range(**fields)
    except ValidationError as error:
        # one range may break the same rule twice, once for each number type that was tried
        raise RecipeError("; ".join(dict.fromkeys(map(_message, error.errors())))) from None


def _message(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return f"unknown key '{name}'; {suggest(name, Range.model_fields)}"
    if error["type"] == "missing":
        return f"missing key '{name}'"
    message = error["msg"].removeprefix("Value error, ")
    return f"{name} {error['input']!r}: expected a number" if name in ("low", "high") else message
