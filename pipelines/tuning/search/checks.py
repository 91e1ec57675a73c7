"""Checks of a space on a recipe: whatever a trial would fail on is reported before the first."""

from collections.abc import Callable, Iterator, Sequence

from pipelines.core.errors import RecipeError, suggest
from pipelines.recipe import Recipe
from pipelines.recipe.document import Key, Override
from pipelines.tuning.search.space import STRATEGY, Dimension, Space, as_overrides, strategy_keys

Load = Callable[[Sequence[Override]], Recipe]  # reads a recipe, with overrides

# what decides how trials are scored: their scores could not be compared if it varied
SCORING_SECTIONS = ("name", "metrics", "hub")
SCORING_ARGUMENTS = (
    "seed",
    "output_dir",
    "metric_for_best_model",
    "greater_is_better",
    "resume_from_checkpoint",
)


def validate(space: Space, load: Load, fixed: Sequence[Override]) -> list[Recipe]:
    """Build the recipe at the ends of every dimension, for every strategy.

    Args:
        fixed: overrides that hold for all trials.

    Returns:
        The recipes.

    Raises:
        RecipeError: one line for each mistake in recipe, overrides or space.
    """
    problems = [*space.problems]
    valid: list[Dimension] = []
    for dimension in space.dimensions:
        own_problems = [*_dimension_problems(space, dimension, fixed)]
        problems += own_problems
        if not own_problems:
            valid.append(dimension)
    built, build_problems = _build_ends(Space(tuple(valid)), load, fixed)
    problems += build_problems
    # only where all else is right: what a strategy ignores is known from a built recipe
    problems = problems or [*_training_problems(space, built)]
    if problems:
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    return built


def _build_ends(
    space: Space, load: Load, fixed: Sequence[Override]
) -> tuple[list[Recipe], list[str]]:
    """Build the recipe at every end of a space; returns recipes and problems."""
    built: list[Recipe] = []
    problems: list[str] = []
    for strategy in space.strategies if space.dimensions else ():
        for point in _ends(space, strategy):
            try:
                built.append(load([*fixed, *as_overrides(point)]))
            except RecipeError as error:
                problems += str(error).splitlines()
    return built, problems


def _ends(space: Space, strategy: str | None) -> Iterator[list[tuple[Dimension, str]]]:
    """Yield points with one dimension at each of its ends, and the others at their first end."""
    active = space.active(strategy)
    first = {d.name: strategy if d.key == STRATEGY else d.values.extremes[0] for d in active}
    # not every combination: their number grows exponentially, and a bad value fails by itself
    for varied in active:
        for text in varied.values.extremes if varied.key != STRATEGY else (str(strategy),):
            yield [(d, text if d is varied else str(first[d.name])) for d in active]


def _dimension_problems(
    space: Space, dimension: Dimension, fixed: Sequence[Override]
) -> Iterator[str]:
    """Yield what is wrong with a dimension, whatever the recipe."""
    prefix, key = f"{dimension.place}: {dimension.name}", dimension.key
    if _affects_scoring(key):
        yield f"{prefix}: decides how trials are scored: their scores could not be compared"
    if key in {override.key for override in fixed}:
        yield f"{prefix}: set both in the space and as an override; remove one"
    searched = [strategy for strategy in space.strategies if strategy]
    if dimension.only and dimension.only not in searched:
        yield f"{prefix}: '{dimension.only}' is not searched as a strategy; {suggest('', searched)}"
    for strategy in space.strategies:
        same_key = [d for d in space.active(strategy) if d.key == key]
        # reported once, at the last of them
        if len(same_key) > 1 and dimension is same_key[-1]:
            yield f"{prefix}: set twice in the space"
            break
    known = set().union(*map(strategy_keys, searched))
    if known and key[0] == "strategy" and key != STRATEGY and key[1] not in known:
        yield f"{dimension.place}: unknown key '{dimension.name}'; {suggest(key[1], known)}"


def _training_problems(space: Space, built: list[Recipe]) -> Iterator[str]:
    """Yield the training arguments of a space in which no strategy takes gradient steps."""
    if any(recipe.strategy.no_gradient_reason is None for recipe in built):
        return
    for dimension in space.dimensions if built else ():
        if dimension.key[0] == "training":
            strategy = built[0].strategy
            effect = f"no effect with {strategy.name}: {strategy.no_gradient_reason}"
            yield f"{dimension.place}: {dimension.name}: {effect}"


def _affects_scoring(key: Key) -> bool:
    section, *rest = key
    if section == "data":
        # how much data to train on can be searched; what is scored cannot change
        return rest != ["limit", "train"]
    if section == "task":
        return rest in ([], ["name"])
    if section == "training":
        return any(name in SCORING_ARGUMENTS for name in rest)
    return section in SCORING_SECTIONS
