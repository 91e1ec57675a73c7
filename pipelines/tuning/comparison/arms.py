"""The arms of a comparison: every combination of the values that vary."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.core.errors import RecipeError
from pipelines.evaluation.compared import ComparedArm
from pipelines.recipe import Recipe
from pipelines.recipe.document import Override
from pipelines.report.privacy import without_paths
from pipelines.tuning.comparison.request import ComparisonRequest
from pipelines.tuning.search.space import STRATEGY, Point, as_overrides

MAX_ARMS = 100
MAX_NAME_LETTERS = 40  # of the folder of an arm
SCRATCH = "scratch"
# what comes between letters that every file system takes
UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")


@dataclass(frozen=True)
class ComparisonArm:
    """A point of what varies.

    Attributes:
        number: counted from 1.
        texts: dimension -> value, as it would be typed.
        overrides: the same, for the recipe.
        shown: how the arm is shown, and what it is compared with.
        recipe: without seed, budget and share of train.
    """

    number: int
    texts: dict[str, str]
    overrides: tuple[Override, ...]
    shown: ComparedArm
    recipe: Recipe

    @property
    def folder(self) -> str:
        """The name of the folder of its runs."""
        letters = UNSAFE.sub("-", self.shown.name)[:MAX_NAME_LETTERS]
        return f"{self.number}-{letters.strip('-.') or 'arm'}"


def of(request: ComparisonRequest) -> list[ComparisonArm]:
    """Return the arms of a request.

    Raises:
        RecipeError: they are too many, or a recipe is wrong.
    """
    points = request.space.grid(MAX_ARMS)
    if points is None:
        raise RecipeError(f"--vary: more than {MAX_ARMS} combinations; expected fewer values")
    texts = [_texts(point) for point in points]
    names = [*_names(points, texts)]
    references = [_reference(number, texts) for number in range(len(texts))]
    arms = []
    for number, each in enumerate(texts):
        overrides = as_overrides(
            (d, each[d.name]) for d in request.space.dimensions if d.name in each
        )
        recipe = request.load([*request.fixed, *overrides])
        reference = references[number]
        shown = ComparedArm(
            names[number],
            recipe.strategy.name,
            str(without_paths(recipe.model.checkpoint)),
            None if reference is None else names[reference],
            reference is not None and _is_scratch(texts[reference]) and recipe.strategy.pretrained,
            tuple(f"{'.'.join(d.key)}={each[d.name]}" for d, _ in points[number]),
        )
        arms.append(ComparisonArm(number + 1, each, tuple(overrides), shown, recipe))
    return arms


def _texts(point: Point) -> dict[str, str]:
    return {dimension.name: dimension.values.text(value) for dimension, value in point}


def _names(points: list[Point], texts: list[dict[str, str]]) -> Iterator[str]:
    """Name each arm by its values; of folders by the last component, if that is enough."""
    short: list[dict[str, str]] = without_paths(texts)
    if len({tuple(each.items()) for each in short}) < len(texts):
        short = texts
    for point, each in zip(points, short, strict=True):
        words = [
            each[d.name]
            if d.key == STRATEGY or len(point) == 1
            else f"{'.'.join(d.key)}={each[d.name]}"
            for d, _ in point
        ]
        yield ", ".join(words)


def _reference(number: int, texts: list[dict[str, str]]) -> int | None:
    """Return the arm that an arm is compared with: scratch with the same values, else the first."""
    if _is_scratch(texts[number]):
        return None
    scratch = [other for other, each in enumerate(texts) if _is_scratch(each)]
    for other in scratch:
        rest = {name: text for name, text in texts[other].items() if name != "strategy"}
        if rest.items() <= texts[number].items():
            return other
    reference = (scratch or [0])[0]
    return None if reference == number else reference


def _is_scratch(texts: dict[str, str]) -> bool:
    return texts.get("strategy") == SCRATCH
