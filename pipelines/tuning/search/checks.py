"""A space on a recipe: whatever a trial would stumble over is said before the first one."""

from collections import Counter
from collections.abc import Iterable, Iterator

from pipelines import recipe
from pipelines.core.errors import RecipeError, suggest
from pipelines.recipe import Recipe
from pipelines.recipe.document import Key, Override, parse_override
from pipelines.tuning.search.space import STRATEGY, Dimension, Space, fields_of, overrides

MEASURING = ("name", "metrics", "hub")  # sections that decide how trials are measured
MEASURING_ARGUMENTS = (
    "seed",
    "output_dir",
    "metric_for_best_model",
    "greater_is_better",
    "resume_from_checkpoint",
)


def refuse(space: Space, path: str, said: Iterable[str]) -> Recipe:
    """Build the recipe at the ends of every dimension, for every strategy; give back one of them.

    Raises:
        RecipeError: one line for each thing that is wrong in recipe, overrides or space.
    """
    fixed = [*map(parse_override, said)]
    wrong = {d.name: [*_of_key(space, d, fixed)] for d in space.dimensions}
    problems = [*space.problems, *(line for lines in wrong.values() for line in lines)]
    rest = Space(tuple(d for d in space.dimensions if not wrong[d.name]))
    built: list[Recipe] = []
    for strategy in rest.strategies if rest.dimensions else ():
        for point in _ends(rest, strategy):
            try:
                built.append(recipe.load(path, [*fixed, *overrides(point)]))
            except RecipeError as error:
                problems += str(error).splitlines()
    problems = problems or [*_of_strategy(space, built)]
    if problems:
        raise RecipeError("\n".join(dict.fromkeys(problems)))
    return built[0]


def _ends(space: Space, strategy: str | None) -> Iterator[list[tuple[Dimension, str]]]:
    """One dimension after the other at each of its ends, the others at their first."""
    active = space.active(strategy)
    first = {d.name: strategy if d.key == STRATEGY else d.values.extremes[0] for d in active}
    for varied in active:
        for text in varied.values.extremes if varied.key != STRATEGY else (str(strategy),):
            yield [(d, text if d is varied else str(first[d.name])) for d in active]


def _of_key(space: Space, dimension: Dimension, fixed: list[Override]) -> Iterator[str]:
    """What is wrong with a dimension whatever the recipe."""
    told, key = f"{dimension.place}: {dimension.name}", dimension.key
    if _measures(key):
        yield f"{told}: decides what trials are measured by: they could not be compared"
    if key in {override.key for override in fixed}:
        yield f"{told}: stands in the space, and among the overrides"
    among = [strategy for strategy in space.strategies if strategy]
    if dimension.only and dimension.only not in among:
        yield f"{told}: '{dimension.only}' is not searched as a strategy; {suggest('', among)}"
    for strategy in space.strategies:
        same = [d for d in space.active(strategy) if d.key == key]
        if len(same) > 1 and dimension is same[-1]:
            yield f"{told}: stands twice in the space"
            break
    known = {field for s in among for field in fields_of(s)}
    if known and key[0] == "strategy" and key != STRATEGY and key[1] not in known:
        yield f"{dimension.place}: unknown key '{dimension.name}'; {suggest(key[1], known)}"


def _of_strategy(space: Space, built: list[Recipe]) -> Iterator[str]:
    """Training arguments where no strategy trains."""
    steps = Counter(recipe.strategy.no_gradient_reason is None for recipe in built)
    if built and not steps[True]:
        for dimension in space.dimensions:
            if dimension.key[0] == "training":
                strategy = built[0].strategy
                told = f"{strategy.name} takes no gradient steps: {strategy.no_gradient_reason}"
                yield f"{dimension.place}: {dimension.name}: {told}"


def _measures(key: Key) -> bool:
    section, *rest = key
    if section == "data":
        return rest != ["limit", "train"]
    if section == "task":
        return rest in ([], ["name"])
    if section == "training":
        return any(name in MEASURING_ARGUMENTS for name in rest)
    return section in MEASURING
