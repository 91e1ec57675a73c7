"""What `import pipelines as graft` offers in a script or a notebook.

    import pipelines as graft

    recipe = graft.load("quickstart", ["strategy=linear_probe"])
    run = graft.run(recipe)
    run.metrics["test"]["accuracy"]
    run.predictions["test"].head()
    run.pipeline()("digit.png")

Mistakes are `graft.GraftError`s, each with one clear message.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import stopping
from pipelines.core.errors import RecipeError
from pipelines.recipe import Recipe, StagedRecipe, staged
from pipelines.recipe import overrides as changes
from pipelines.workflow import replay
from pipelines.workflow.finished_run import Run
from pipelines.workflow.replay import Replay

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.report.data_evaluation import DataEvaluation

RecipeLike = Recipe | StagedRecipe | Mapping[str, Any] | str | Path  # what a recipe may be given as


def load(recipe: RecipeLike, overrides: changes.Overrides = None) -> Recipe | StagedRecipe:
    """Read and check a recipe; nothing heavy is imported, and nothing is loaded.

    Args:
        recipe: a YAML file, the name of a shipped recipe, such as `"quickstart"`, a mapping as
            `Recipe.from_dict` takes it, or a recipe.
        overrides: `["strategy=lora", "training.learning_rate=3e-5"]`, as on the command line, a
            single one as a string, or `{"strategy": "lora", "training.learning_rate": 3e-5}`. A
            mapping as a value replaces the whole section.

    Returns:
        The frozen recipe; of one with `stages`, a frozen recipe for each.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    if isinstance(recipe, Recipe | StagedRecipe) and overrides is None:
        return recipe
    if isinstance(recipe, Recipe):
        recipe = recipe.model_dump(mode="json", exclude_unset=True)
    if isinstance(recipe, StagedRecipe):
        recipe = recipe.values()
    if isinstance(recipe, Mapping) and "stages" in recipe:
        return staged.from_values(recipe, changes.parse(overrides))
    if isinstance(recipe, Mapping):
        return Recipe.from_dict(recipe, overrides)
    if not isinstance(recipe, str | Path):
        kind = type(recipe).__name__
        raise RecipeError(
            f"{recipe!r}: a recipe is a YAML file, the name of a shipped recipe, a mapping of keys "
            f"to values, or a Recipe, not {kind}"
        )
    return staged.load(recipe, changes.parse(overrides))


def check(recipe: RecipeLike, *, shift: bool = False) -> str:
    """Do everything but train: load data and model, encode, count parameters, estimate memory.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.
        shift: compare `data.target` with train, too, on features of the frozen encoder.

    Returns:
        The report that `graft check` prints.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    loaded = load(recipe)
    if isinstance(loaded, StagedRecipe):
        from pipelines.workflow import staged as in_stages

        if shift:
            raise RecipeError(
                "--shift compares domains for one checkpoint, and this recipe has stages; check "
                "the recipe of a stage by itself"
            )
        return in_stages.report(loaded)
    from pipelines.workflow import check as checks

    return checks.report(loaded, with_shift=shift)


def run(recipe: RecipeLike | Replay) -> Run:
    """Fine-tune as a recipe says, evaluate, save, and report.

    Progress is shown as bars in a terminal or a notebook, and as lines elsewhere.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe; the folder of a finished
            run, or its lock.json, is repeated.

    Returns:
        The finished run, whose folder is `runs/<recipe>/<n>/` below the working directory.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal (a notebook's stop button); says how to go on.
    """
    with stopping.handling(stopping.interrupt):
        from pipelines.workflow import run as runs
        from pipelines.workflow import staged as in_stages
        from pipelines.workflow.stopped import advising

        if isinstance(recipe, str | Path) and replay.names_run(recipe):
            recipe = Replay.of(recipe)
        loaded = recipe if isinstance(recipe, Replay) else load(recipe)
        with advising():
            if isinstance(loaded, Replay):
                return Run(replay.run(loaded).path.absolute())
            if isinstance(loaded, StagedRecipe):
                return Run(in_stages.run(loaded).path.absolute())
            return Run(runs.run(loaded).path.absolute())


def predict(
    model: str | Path,
    inputs: Any,
    *,
    top_k: int = 0,
    split: str | None = None,
    batch_size: int = 64,
    data: changes.Overrides = None,
) -> "pd.DataFrame":
    """Predict new examples by a run, or by a checkpoint that was trained elsewhere.

    Args:
        model: a run folder, another folder, or a Hub id.
        inputs: as of `Run.predict`, as all other arguments are.

    Returns:
        The rows with all their columns, and those of the predictions.

    Raises:
        GraftError: the model cannot be loaded, or the inputs cannot be read.
    """
    from pipelines.core.startup import without_bars
    from pipelines.workflow.inference import checkpoint, to_frame

    with without_bars():
        predictor = checkpoint.open_model(model)
    options: dict[str, Any] = {"split": split, "batch_size": batch_size, "overrides": data}
    return to_frame.predict(predictor, inputs, top_k=top_k, **options)


def evaluate(
    runs: str | Path | Sequence[str | Path],
    data: str | Path | Recipe,
    *,
    by: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
    overrides: changes.Overrides = None,
) -> "DataEvaluation":
    """Score finished runs on new labeled data, and compare each with the first.

    Args:
        runs: one run folder, or several.
        data: as of `Run.evaluate`, as all other arguments are.

    Returns:
        Scores with intervals, by class and slice, and differences on the same rows.

    Raises:
        GraftError: a run or the data cannot be used, or the runs cannot be compared.
    """
    from pipelines.core.console import say
    from pipelines.workflow.scoring.evaluate import evaluate as evaluate_runs

    folders = [runs] if isinstance(runs, str | Path) else [*runs]
    options: dict[str, Any] = {"by": by, "split": split, "batch_size": batch_size}
    return evaluate_runs(folders, data, **options, overrides=overrides, note=say)
