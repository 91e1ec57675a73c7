"""What is scored on what: finished runs, and the source of new data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import recipe as recipes
from pipelines.core import recipe_files
from pipelines.core.errors import DataError, ModelError, RunError
from pipelines.data.labeled_inputs import KnownData
from pipelines.evaluation.scorer import Scorer
from pipelines.recipe import Recipe
from pipelines.recipe import overrides as changes
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.inference import data_section
from pipelines.workflow.inference.predictor import Predictor, of_run

if TYPE_CHECKING:
    from pipelines.data.sources import Source

YAML = (".yaml", ".yml")


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A run and its model."""

    folder: RunFolder
    recipe: Recipe
    predictor: Predictor

    @classmethod
    def of(cls, folder: RunFolder) -> "OpenedRun":
        """Load the model of a run.

        Raises:
            RunError: the run is not finished, or a file of it is missing or damaged.
        """
        return cls(folder, recipes.load(folder.recipe), of_run(folder))

    @property
    def known(self) -> KnownData:
        """What the run knows of its data."""
        source, labels = self.recipe.data, self.predictor.labels
        id_names = source.label_names or labels.names
        return KnownData(self.predictor.columns, labels, id_names, source.group)

    @cached_property
    def scorer(self) -> Scorer:
        """The run's metrics."""
        return Scorer(self.recipe.metrics, self.predictor.task, self.predictor.labels)

    def without_model(self) -> "OpenedRun":
        """Drop the model, so that the next one has room."""
        return replace(self, predictor=replace(self.predictor, loaded=None, logits=None))


def folders_of(runs: Sequence[str | Path]) -> list[RunFolder]:
    """Return the folders of runs of one task, whose labels new data can have.

    Raises:
        RunError: no run, none at a path, or runs of several tasks; names both.
        ModelError: the task has no labels.
    """
    if not runs:
        raise RunError("no run is named; expected a run folder, such as runs/bert_sst2/1")
    folders = [*map(RunFolder.of, runs)]
    tasks = [recipes.load(folder.recipe).task for folder in folders]
    for folder, task in zip(folders, tasks, strict=True):
        if task.target is None:
            raise ModelError(
                f"{folder}: {task.name} predicts the text itself: there are no labels that new "
                "data could have; a run with this text as data.splits.test has its perplexity"
            )
        if task.name != tasks[0].name:
            raise _of_another_kind("task", folder, task.name, folders[0], tasks[0].name)
    return folders


def check_kind(run: OpenedRun, first: OpenedRun) -> None:
    """Refuse a run whose labels are of another kind than those of the first one.

    Raises:
        RunError: names both.
    """
    kind, expected = (each.predictor.labels.problem_type for each in (run, first))
    if kind != expected:
        raise _of_another_kind("kind of label", run.folder, kind, first.folder, expected)


def _of_another_kind(
    what: str, folder: RunFolder, value: str, first: RunFolder, expected: str
) -> RunError:
    return RunError(
        f"{folder}: its {what} is {value}, and that of {first} {expected}; expected runs that "
        "predict the same"
    )


def source_of(data: "str | Path | Recipe", overrides: changes.Overrides) -> "Source":
    """Make the `data:` section that reads a recipe's data, or a path.

    Raises:
        GraftError: no such recipe, an override that no data have, or something else.
    """
    if isinstance(data, Recipe):
        return Recipe.from_dict(data.model_dump(mode="json", exclude_unset=True), overrides).data
    if not isinstance(data, str | Path):
        raise DataError(
            f"data: expected a path or a recipe, not {type(data).__name__}; write it to a file, "
            "such as new.parquet"
        )
    is_name = not Path(data).exists() and str(data) in recipe_files.shipped()
    if Path(data).suffix.lower() in YAML or is_name:
        return recipes.load(data, changes.parse(overrides)).data
    return data_section.source_of(Path(data).expanduser(), overrides)
