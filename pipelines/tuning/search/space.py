"""What to search: `key=values` on the command line, or the same as a YAML file.

    training.learning_rate=1e-5..1e-3      a range; by magnitude where it spans a decade or more
    strategy=full,lora                     choices
    strategy.r=4..16                       integers; only for the strategies that have the key

In YAML also lists, `{low, high, log, step}`, sections inside each other, and values for single
strategies: `training.learning_rate: {full: 1e-5..1e-4, lora: 1e-4..1e-3}`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.core import registry
from pipelines.core.errors import RecipeError, suggest
from pipelines.recipe import document as documents
from pipelines.recipe.document import Key, Override, value_of
from pipelines.tuning.search.values import Choices, Range, Values, as_text

if TYPE_CHECKING:
    from optuna import Trial

STRATEGY: Key = ("strategy",)
RANGE = re.compile(r"(?P<low>[^.\s]\S*?)\s*\.\.\s*(?P<high>\S+)")
Point = list[tuple["Dimension", Any]]  # a value for each dimension that applies


@dataclass(frozen=True)
class Dimension:
    """A key, and what it may be.

    Attributes:
        place: where the user says so.
        only: the one strategy that this is for.
    """

    key: Key
    values: Values
    place: str
    only: str | None = None

    @property
    def name(self) -> str:
        """What the study calls it."""
        return ".".join(self.key) + (f" ({self.only})" if self.only else "")


@dataclass(frozen=True)
class Space:
    """All dimensions; what the strategy may be comes first.

    Attributes:
        problems: what was said and is no dimension.
    """

    dimensions: tuple[Dimension, ...]
    problems: tuple[str, ...] = ()

    @property
    def strategies(self) -> tuple[str | None, ...]:
        """What is chosen among; None for the one that the recipe has."""
        first = self.dimensions[:1]
        return first[0].values.extremes if first and first[0].key == STRATEGY else (None,)

    def has(self, strategy: str | None, dimension: Dimension) -> bool:
        """Whether a dimension means anything to a strategy.

        What no strategy has is left in: it is a mistake, which the recipe will tell.
        """
        if strategy not in registry.names("strategies"):
            return True
        if dimension.only or dimension.key[0] == "training":
            steps = registry.find("strategies", strategy).no_gradient_reason is None
            return dimension.only in (None, strategy) and (steps or dimension.key[0] != "training")
        if dimension.key[0] != "strategy" or len(dimension.key) == 1:
            return True
        having = [s for s in self.strategies if dimension.key[1] in fields_of(s)]
        return strategy in having or not having

    def active(self, strategy: str | None) -> list[Dimension]:
        """The dimensions of the points with that strategy."""
        return [d for d in self.dimensions if self.has(strategy, d)]

    def draw(self, trial: "Trial") -> Point:
        """A point of the trial's choice."""
        drawn: Point = []
        strategy = None
        for dimension in self.dimensions:
            if self.has(strategy, dimension):
                drawn.append((dimension, dimension.values.suggest(trial, dimension.name)))
            if dimension.key == STRATEGY:
                strategy = drawn[-1][1]
        return drawn

    def grid(self, most: int) -> list[Point] | None:
        """All points, where there are at most so many; None where there are more."""
        points: list[Point] = []
        for strategy in self.strategies:
            some: list[Point] = [[]]
            for dimension in self.active(strategy):
                values: Any = dimension.values.all
                if dimension.key == STRATEGY:
                    values = (strategy,)
                if values is None or len(some) * len(values) > most:
                    return None
                some = [[*point, (dimension, value)] for point in some for value in values]
            points += some
        return points if len(points) <= most else None

    def notes(self) -> Iterator[str]:
        """Which dimensions are not for all strategies."""
        for dimension in self.dimensions:
            having = [str(s) for s in self.strategies if self.has(s, dimension)]
            if len(having) < len(self.strategies) and not dimension.only:
                yield f"{dimension.name}: only for {', '.join(having)}"


def overrides(texts: Iterable[tuple[Dimension, str]]) -> list[Override]:
    """What a recipe is told, from what one would type."""
    return [Override(d.key, value_of(text), d.place) for d, text in texts]


def load(items: Iterable[str]) -> Space:
    """Read `key=values` items and YAML files; what is no range of values is among the problems.

    Raises:
        RecipeError: an item that is none, a file that cannot be read, or nothing in it.
    """
    dimensions: list[Dimension] = []
    problems: list[str] = []
    for key, value, place in (said for item in items for said in _said(item)):
        try:
            dimensions += _dimensions(key, value, place)
        except RecipeError as error:
            problems.append(f"{place}: {'.'.join(key)}: {error}")
    if not dimensions and not problems:
        raise RecipeError("command line: --space: nothing to search in it")
    first = sorted(dimensions, key=lambda d: d.key != STRATEGY)
    return Space(tuple(first), tuple(problems))


def _said(item: str) -> Iterator[tuple[Key, Any, str]]:
    """(key, what it may be, place) of an item, or of each in a file."""
    if "=" in item:
        key, value, place = documents.parse_override(item)
        yield _canonical(key), value, place
        return
    document = documents.read(Path(item), f"--space {item}: neither key=values nor a readable file")
    yield from _leaves(document, document.values, ())


def _leaves(
    document: documents.Document, node: dict[str, Any], path: Key
) -> Iterator[tuple[Key, Any, str]]:
    """Sections may stand inside each other, or their names in a row with dots between."""
    for name, value in node.items():
        here = (*path, name)
        ends = not isinstance(value, dict) or value.keys() & {"low", "high"} or _by_strategy(value)
        if ends:
            yield _canonical(tuple(".".join(here).split("."))), value, document.place(here)
        else:
            yield from _leaves(document, value, here)


def _canonical(key: Key) -> Key:
    return STRATEGY if key == ("strategy", "name") else key


def _by_strategy(value: dict[str, Any]) -> bool:
    return bool(value) and value.keys() <= {*registry.names("strategies")}


def _dimensions(key: Key, value: Any, place: str) -> Iterator[Dimension]:
    if isinstance(value, dict) and _by_strategy(value):
        for strategy, its in value.items():
            yield Dimension(key, _values(its), place, strategy)
    else:
        yield Dimension(key, _values(value), place)


def _values(said: Any) -> Values:
    """What a key may be, from a text, a list or a mapping."""
    if isinstance(said, str):
        spanned = RANGE.fullmatch(said)
        if spanned:
            said = {name: value_of(bound) for name, bound in spanned.groupdict().items()}
        else:
            said = [value_of(text.strip()) for text in said.split(",")]
    if isinstance(said, dict):
        return _range(said)
    several = said if isinstance(said, list) else [said]
    texts = tuple(dict.fromkeys(as_text(value) for value in several if value not in ("", None)))
    if len(texts) < 2:
        raise RecipeError(
            f"{', '.join(texts) or 'nothing'}: expected several values (a,b or low..high); one "
            "alone is an override: key=value"
        )
    return Choices(texts)


def _range(said: dict[str, Any]) -> Range:
    try:
        return Range(**said)
    except ValidationError as error:
        raise RecipeError("; ".join(dict.fromkeys(map(_explained, error.errors())))) from None


def _explained(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return f"unknown key '{name}'; {suggest(name, Range.model_fields)}"
    if error["type"] == "missing":
        return f"missing key '{name}'"
    message = error["msg"].removeprefix("Value error, ")
    return f"{name} {error['input']!r}: expected a number" if name in ("low", "high") else message


def fields_of(strategy: str | None) -> set[str]:
    """The keys of a strategy; none where there is no such strategy."""
    known = registry.names("strategies")
    return {*registry.find("strategies", strategy).model_fields} if strategy in known else set()
