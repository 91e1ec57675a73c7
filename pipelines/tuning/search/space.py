"""The space of a search: keys of a recipe, and the values that each may take."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.recipe.document import Key, Override
from pipelines.recipe.yaml_reader import value_of
from pipelines.tuning.search.values import Values

if TYPE_CHECKING:
    from optuna import Trial

STRATEGY: Key = ("strategy",)
Point = list[tuple["Dimension", Any]]  # a value for each dimension that applies


@dataclass(frozen=True)
class Dimension:
    """A key of the recipe, and the values that it may take.

    Attributes:
        place: the file and line, or the command line, that set it.
        only: the one strategy that it applies to; None: every strategy that has the key.
    """

    key: Key
    values: Values
    place: str
    only: str | None = None

    @property
    def name(self) -> str:
        """The name of the parameter in the study."""
        return ".".join(self.key) + (f" ({self.only})" if self.only else "")


@dataclass(frozen=True)
class Space:
    """All dimensions; that of the strategy comes first, since others depend on it.

    Attributes:
        problems: messages about items that are no dimension.
    """

    dimensions: tuple[Dimension, ...]
    problems: tuple[str, ...] = ()

    @property
    def strategies(self) -> tuple[str | None, ...]:
        """The strategies to choose from; (None,) stands for the recipe's own."""
        first = self.dimensions[:1]
        return first[0].values.extremes if first and first[0].key == STRATEGY else (None,)

    def applies(self, dimension: Dimension, strategy: str | None) -> bool:
        """Return whether a dimension has a meaning for a strategy.

        A key that no strategy has applies to all: building the recipe reports the mistake.
        """
        # a misspelled strategy is reported when its recipe is built, not here
        if strategy not in registry.names("strategies"):
            return True
        if dimension.only or dimension.key[0] == "training":
            trains = registry.find("strategies", strategy).no_gradient_reason is None
            return dimension.only in (None, strategy) and (trains or dimension.key[0] != "training")
        if dimension.key[0] != "strategy" or len(dimension.key) == 1:
            return True
        with_key = [s for s in self.strategies if dimension.key[1] in strategy_keys(s)]
        return strategy in with_key or not with_key

    def active(self, strategy: str | None) -> list[Dimension]:
        """Return the dimensions that apply to a strategy."""
        return [d for d in self.dimensions if self.applies(d, strategy)]

    def draw(self, trial: "Trial") -> Point:
        """Return the point that an Optuna trial suggests."""
        drawn: Point = []
        strategy = None
        for dimension in self.dimensions:
            if self.applies(dimension, strategy):
                drawn.append((dimension, dimension.values.suggest(trial, dimension.name)))
            # what follows depends on the strategy just drawn
            if dimension.key == STRATEGY:
                strategy = drawn[-1][1]
        return drawn

    def grid(self, limit: int) -> list[Point] | None:
        """Return all points; None if there are more than `limit`, or infinitely many."""
        points: list[Point] = []
        for strategy in self.strategies:
            # each strategy has a grid of its own, since keys differ
            partial: list[Point] = [[]]
            for dimension in self.active(strategy):
                values: Any = dimension.values.all
                if dimension.key == STRATEGY:
                    values = (strategy,)
                if values is None or len(partial) * len(values) > limit:
                    return None
                partial = [[*point, (dimension, value)] for point in partial for value in values]
            points += partial
        return points if len(points) <= limit else None

    def notes(self) -> Iterator[str]:
        """Yield a line for each dimension that does not apply to all strategies."""
        for dimension in self.dimensions:
            applying = [str(s) for s in self.strategies if self.applies(dimension, s)]
            if len(applying) < len(self.strategies) and not dimension.only:
                yield f"{dimension.name}: only for {', '.join(applying)}"


def as_overrides(texts: Iterable[tuple[Dimension, str]]) -> list[Override]:
    """Turn values, as they would be typed, into overrides of the recipe."""
    return [Override(d.key, value_of(text), d.place) for d, text in texts]


def strategy_keys(strategy: str | None) -> set[str]:
    """Return the keys of a strategy; empty if there is no such strategy."""
    known = registry.names("strategies")
    return {*registry.find("strategies", strategy).model_fields} if strategy in known else set()
