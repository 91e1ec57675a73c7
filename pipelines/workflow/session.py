"""What `import pipelines as graft` offers in a script or a notebook.

    import pipelines as graft

    recipe = graft.load("quickstart", ["strategy=linear_probe"])
    run = graft.run(recipe)
    run.metrics["test"]["accuracy"]
    run.predictions["test"].head()
    run.pipeline()("digit.png")

Mistakes are `graft.GraftError`s, each with one clear message.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipelines import recipe as recipes
from pipelines.core.errors import Interrupted, ModelError, RunError
from pipelines.recipe import Recipe
from pipelines.recipe.document import Override, plain
from pipelines.recipe.yaml_reader import parse_override
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

OVERRIDES = "overrides"  # the place that messages about them name
TEXT = {"label": str, "prediction": str, "set": str}  # "007" and "NA" are names of classes
READERS = {"text": "tokenizer", "image": "image_processor", "audio": "feature_extractor"}


def load(recipe: str | Path, overrides: Iterable[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read and check a recipe; nothing heavy is imported, and nothing is loaded.

    Args:
        recipe: a YAML file, or the name of a shipped recipe, such as `"quickstart"`.
        overrides: `["strategy=lora", "training.learning_rate=3e-5"]`, as on the command line, or
            `{"strategy": "lora", "training.learning_rate": 3e-5}`. A mapping as a value replaces
            the whole section.

    Returns:
        The frozen recipe.

    Raises:
        RecipeError: one line for each thing that is wrong.
    """
    return recipes.load(recipe, _overrides(overrides))


def check(recipe: Recipe | str | Path) -> str:
    """Do everything but train: load data and model, encode, count parameters, estimate memory.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.

    Returns:
        The report that `graft check` prints.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    from pipelines.workflow import check as checks

    return checks.report(_recipe(recipe))


def run(recipe: Recipe | str | Path) -> "Run":
    """Fine-tune as a recipe says, evaluate, save, and report.

    Progress is shown as bars in a terminal or a notebook, and as lines elsewhere.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.

    Returns:
        The finished run, whose folder is `runs/<recipe>/<n>/` below the working directory.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal (a notebook's stop button), after saving a checkpoint.
    """
    from pipelines.workflow import run as runs

    try:
        return Run(runs.run(_recipe(recipe)).path.absolute())
    except Interrupted as stop:
        resume = "training.resume_from_checkpoint=true"
        raise Interrupted(f"{stop}; to go on, run the same recipe with {resume}") from None


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: the run's folder, such as `runs/quickstart/1`.
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run folder such as `runs/quickstart/1`.

        Raises:
            RunError: `path` belongs to no run, or the run is not finished.
        """
        folder = RunFolder.of(path)
        if not folder.done:
            raise RunError(f"{folder}: not finished: there is no metrics.json")
        return cls(folder.path.absolute())

    @property
    def folder(self) -> RunFolder:
        """The paths of everything in the run's folder, such as `run.folder.card`."""
        return RunFolder(self.path)

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe: every key has the value that the run used."""
        return recipes.load(self.folder.recipe)

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json: scores of `validation`, `test` and `baseline`, and more."""
        return json.loads(self.folder.metrics.read_text(encoding="utf-8"))

    @property
    def predictions(self) -> "dict[str, pd.DataFrame]":
        """A table for each split that was scored, with a row for each example, in its order.

        The columns are `row`, `label`, `prediction`, and `probability` where there are classes.
        """
        files = sorted(self.folder.predictions.glob("*.csv"), reverse=True)
        return {file.stem: self._table(file) for file in files}

    def model(self) -> Any:
        """Load the trained model with its own library.

        Returns:
            An `AutoModelFor…` of transformers, a peft model on its checkpoint, or a
            `SentenceTransformer`.
        """
        library = self._library
        if library == "sentence-transformers":
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(self.folder.model))
        import transformers

        from pipelines.models.output import adapter_folder

        recipe = self.recipe
        auto = getattr(transformers, recipe.task.auto_class)
        if library == "peft":
            return adapter_folder.read(self.folder.model, auto, recipe.model.quantization)
        return auto.from_pretrained(self.folder.model)

    def pipeline(self, **options: Any) -> Any:
        """Load the trained model as a `transformers.pipeline`.

        Args:
            options: more arguments of `transformers.pipeline`, such as `device` or `top_k`.

        Raises:
            ModelError: transformers has no pipeline for this model; `model()` loads it.
        """
        task, folder, library = self.recipe.task, self.folder.model, self._library
        if library == "sentence-transformers" or task.usage(folder.as_posix()):
            kind = "a sentence-transformers model" if library != "transformers" else task.name
            raise ModelError(
                f"{folder}: transformers has no pipeline for {kind}; use run.model(), as the "
                f"model card shows: {self.folder.card}"
            )
        import transformers

        pipeline: Any = transformers.pipeline  # mypy would have one of its overloads
        if library == "transformers":
            return pipeline(task.pipeline, model=str(folder), **options)
        model = self.model()
        # the checkpoint's own class, whose layers the adapter changes; prompts need peft's
        model = model if model.active_peft_config.is_prompt_learning else model.get_base_model()
        reader = {READERS[task.modality]: str(folder)}
        return pipeline(task.pipeline, model=model, **reader, **options)

    @property
    def _library(self) -> str:
        """The library that loads the folder of the model."""
        if (self.folder.model / "modules.json").is_file():
            return "sentence-transformers"
        adapter = self.folder.model / "adapter_config.json"
        return "peft" if adapter.is_file() else "transformers"

    def _table(self, file: Path) -> "pd.DataFrame":
        import pandas as pd

        table = pd.read_csv(file, dtype=TEXT, keep_default_na=False)
        # an example has a class with a probability, or a number
        if self.recipe.task.prediction_unit == "example" and "probability" not in table:
            table = table.astype({"label": float, "prediction": float})
        return table


def _recipe(recipe: Recipe | str | Path) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load(recipe)


def _overrides(overrides: Iterable[str] | Mapping[str, Any]) -> list[Override]:
    """Overrides of either form, with a place that is not the command line."""
    if isinstance(overrides, Mapping):
        return [
            Override(tuple(key.split(".")), plain(value), OVERRIDES)
            for key, value in overrides.items()
        ]
    return [parse_override(text, OVERRIDES) for text in overrides]
