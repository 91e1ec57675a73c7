"""What `graft compare` and `graft.compare` do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.core import stopping
from pipelines.core.errors import RecipeError
from pipelines.evaluation.comparison import Comparison
from pipelines.recipe import overrides as changes
from pipelines.tuning.comparison.request import WHOLE, ComparisonRequest, OneStage
from pipelines.tuning.search import space_reader
from pipelines.tuning.search.space import Space


def compare(
    recipe: OneStage | Sequence[str | Path],
    vary: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: int = 3,
    fractions: Sequence[float] = WHOLE,
    overrides: changes.Overrides = None,
) -> Comparison:
    """Run a recipe in several variants with several seeds and compare them, or finished runs.

    All arms train for as long, on the same rows of each seed; validation compares, and test is
    scored once for each run. Runs that are done already are not run again.

    Args:
        recipe: a recipe, a YAML file or a mapping; without `vary` a list of run folders.
        vary: dotted keys and the values of each, such as `{"strategy": ["scratch", "lora"]}`.
        seeds: how many; a verdict takes three.
        fractions: shares of train, such as `(0.01, 0.1, 1)`, for a curve of label efficiency.
        overrides: as of `graft.load`; they hold for all arms.

    Returns:
        Every number; `pipelines.report.comparison_text.lines` yields the table.

    Raises:
        GraftError: recipe, data or checkpoint are wrong, every run failed, or the finished runs
            have nothing in common.
        Interrupted: on a signal; the same call goes on.
    """
    if vary is None:
        if isinstance(recipe, str | Path) or not isinstance(recipe, Sequence):
            raise RecipeError(
                "graft.compare: expected what varies, such as vary={'strategy': ['full', 'lora']}, "
                "or a list of run folders"
            )
        from pipelines.tuning.comparison import finished

        return finished.compare(recipe)
    if isinstance(recipe, list | tuple):
        raise RecipeError("graft.compare: run folders are compared as they are: leave out vary")
    space = space_reader.from_values(vary, "vary")
    return run(recipe, space, changes.parse(overrides), seeds, fractions)  # type: ignore[arg-type]


def run(
    recipe: OneStage,
    space: Space,
    fixed: Sequence[Any],
    seeds: int,
    fractions: Sequence[float],
) -> Comparison:
    """Run a comparison of a space; what is wrong is refused before anything heavy is imported.

    Raises:
        GraftError: as `compare` does.
        Interrupted: on a signal.
    """
    unique = tuple(dict.fromkeys(map(float, fractions)))
    request = ComparisonRequest(recipe, tuple(fixed), space, seeds, unique)
    request.check()
    with stopping.handling(stopping.interrupt):
        from pipelines.tuning.comparison import runner

        return runner.run(request)
