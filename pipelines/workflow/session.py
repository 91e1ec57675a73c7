"""What `import pipelines as graft` offers in a script or a notebook.

    import pipelines as graft

    recipe = graft.load("quickstart", ["strategy=linear_probe"])
    run = graft.run(recipe)
    run.metrics["test"]["accuracy"]
    run.predictions["test"].head()
    run.pipeline()("digit.png")

Mistakes are `graft.GraftError`s, each with one clear message.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import recipe as recipes
from pipelines.core import stopping
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe
from pipelines.recipe import overrides as changes
from pipelines.workflow.finished_run import Run

RecipeLike = Recipe | Mapping[str, Any] | str | Path  # what a recipe may be given as


def load(recipe: RecipeLike, overrides: changes.Overrides = None) -> Recipe:
    """Read and check a recipe; nothing heavy is imported, and nothing is loaded.

    Args:
        recipe: a YAML file, the name of a shipped recipe, such as `"quickstart"`, a mapping as
            `Recipe.from_dict` takes it, or a recipe.
        overrides: `["strategy=lora", "training.learning_rate=3e-5"]`, as on the command line, a
            single one as a string, or `{"strategy": "lora", "training.learning_rate": 3e-5}`. A
            mapping as a value replaces the whole section.

    Returns:
        The frozen recipe.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    if isinstance(recipe, Recipe) and overrides is None:
        return recipe
    if isinstance(recipe, Recipe):
        recipe = recipe.model_dump(mode="json", exclude_unset=True)
    if isinstance(recipe, Mapping):
        return Recipe.from_dict(recipe, overrides)
    if not isinstance(recipe, str | Path):
        kind = type(recipe).__name__
        raise RecipeError(
            f"{recipe!r}: a recipe is a YAML file, the name of a shipped recipe, a mapping of keys "
            f"to values, or a Recipe, not {kind}"
        )
    return recipes.load(recipe, changes.parse(overrides))


def check(recipe: RecipeLike) -> str:
    """Do everything but train: load data and model, encode, count parameters, estimate memory.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.

    Returns:
        The report that `graft check` prints.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    from pipelines.workflow import check as checks

    return checks.report(load(recipe))


def run(recipe: RecipeLike) -> Run:
    """Fine-tune as a recipe says, evaluate, save, and report.

    Progress is shown as bars in a terminal or a notebook, and as lines elsewhere.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.

    Returns:
        The finished run, whose folder is `runs/<recipe>/<n>/` below the working directory.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal (a notebook's stop button); says how to go on.
    """
    with stopping.handling(stopping.interrupt):
        from pipelines.workflow import run as runs
        from pipelines.workflow.resume import advising

        with advising():
            return Run(runs.run(load(recipe)).path.absolute())
