"""What a finished run holds: metrics, predictions, the model, and the paths of all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipelines import recipe as recipes
from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.core.startup import without_bars
from pipelines.recipe import Recipe
from pipelines.recipe.overrides import Overrides
from pipelines.report import csv_cells, strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import trained_model

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.report.data_evaluation import DataEvaluation

# "007" and "NA" are names of classes
TEXT = dict.fromkeys(("label", "prediction", "set", "source"), str)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: the run's folder, such as `runs/quickstart/1`.
    """

    path: Path

    def __post_init__(self) -> None:
        """Take the folder as text, too.

        Raises:
            RunError: `path` is neither a path nor text.
        """
        # frozen: a plain assignment is refused
        object.__setattr__(self, "path", _path(self.path))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run folder such as `runs/quickstart/1`.

        Raises:
            RunError: `path` belongs to no run, or the run is not finished.
        """
        folder = RunFolder.of(_path(path))
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
        """The content of metrics.json: scores of `validation`, `test` and `baseline`, and more.

        Raises:
            RunError: the file is missing or damaged.
        """
        return strict_json.read(self.folder.metrics, "evaluate the run again, or open another one")

    @property
    def predictions(self) -> "dict[str, pd.DataFrame]":
        """A table for each split that was scored, with a row for each example, in its order.

        The columns are `row`, `label`, `prediction`, `probability` where there are classes, and
        `source` where the data have several.
        """
        files = sorted(self.folder.predictions.glob("*.csv"), reverse=True)
        return {file.stem: self._table(file) for file in files}

    @without_bars()
    def model(self) -> Any:
        """Load the trained model with its own library.

        Returns:
            An `AutoModelFor…` of transformers, a peft model on its checkpoint, or a
            `SentenceTransformer`.

        Raises:
            ModelError: the run has several models, or a file of its model is missing or damaged.
        """
        return trained_model.load(self.folder.model, self.recipe)

    def check_single_pass(self) -> None:
        """Refuse a run whose answers need more than one pass of one model.

        Raises:
            ModelError: it is one; says what predicts with it.
        """
        trained_model.check_single_pass(self.folder.model)

    @without_bars()
    def pipeline(self, **options: Any) -> Any:
        """Load the trained model as a `transformers.pipeline`.

        Args:
            options: more arguments of `transformers.pipeline`, such as `device` or `top_k`.

        Raises:
            ModelError: transformers has no pipeline for this model; `model()` loads it.
        """
        return trained_model.pipeline(self.folder.model, self.recipe, **options)

    def predict(
        self,
        inputs: Any,
        *,
        top_k: int = 0,
        split: str | None = None,
        batch_size: int = 64,
        data: Overrides = None,
    ) -> "pd.DataFrame":
        """Predict new examples, which keep their order and all their columns.

        Args:
            inputs: a text, a file or a folder; a list of texts, pictures, sounds or rows; a mapping
                of columns, or of one row; a pandas table, or a `Dataset`.
            top_k: adds columns of so many of the likeliest labels and their probabilities.
            split: of a folder with several.
            batch_size: rows of mean length in a batch.
            data: how to read inputs, by keys of `data:`, such as `data.columns.text=review`.

        Returns:
            The rows with `prediction` and `probability`, and with `set` where the run has
            prediction sets. Rows that cannot be predicted are left out with a warning; the index
            counts the rows of the input.

        Raises:
            GraftError: the inputs cannot be read, or the run's model cannot be loaded.
        """
        from pipelines.workflow.inference import predictor, to_frame

        with without_bars():
            model = predictor.of_run(self.folder)
        options: dict[str, Any] = {"split": split, "batch_size": batch_size, "overrides": data}
        return to_frame.predict(model, inputs, top_k=top_k, **options)

    def evaluate(
        self,
        data: str | Path | Recipe,
        *,
        by: str | None = None,
        split: str | None = None,
        batch_size: int = 64,
        overrides: Overrides = None,
    ) -> "DataEvaluation":
        """Score the run on new labeled data; the run's folder stays as it is.

        Args:
            data: a table or a folder, or a recipe whose `data:` says what to read.
            by: a column whose values divide the rows.
            split: of several; None: test, or what stands for it.
            batch_size: rows of mean length in a batch.
            overrides: keys of `data:`, such as `data.columns.label=stars`.

        Returns:
            `scores`, `intervals`, and what else there is as `runs[0]`; `json()` has it all.

        Raises:
            GraftError: the data cannot be read, or have labels that the run does not know.
        """
        from pipelines.workflow.scoring.evaluate import evaluate

        options: dict[str, Any] = {"by": by, "split": split, "batch_size": batch_size}
        return evaluate([self.path], data, **options, overrides=overrides, note=say)

    def _table(self, file: Path) -> "pd.DataFrame":
        import pandas as pd

        table = pd.read_csv(file, dtype=TEXT, keep_default_na=False)
        for name in TEXT.keys() & {*table}:
            table[name] = table[name].map(csv_cells.original)
        # an example has a class with a probability, or a number
        if self.recipe.task.prediction_unit == "example" and "probability" not in table:
            table = table.astype({"label": float, "prediction": float})
        return table


def _path(path: Any) -> Path:
    if not isinstance(path, str | Path):
        raise RunError(f"{path!r}: expected the path of a run folder, such as runs/bert_sst2/1")
    return Path(path)
