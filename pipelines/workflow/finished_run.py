"""What a finished run holds: metrics, predictions, the model, and the paths of all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipelines import recipe as recipes
from pipelines.core.console import say
from pipelines.core.errors import ModelError, RunError
from pipelines.core.startup import without_bars
from pipelines.models.output.reload import library_of, opening
from pipelines.recipe import Recipe
from pipelines.recipe.overrides import Overrides
from pipelines.report import csv_cells, strict_json
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.report.data_evaluation import DataEvaluation

TEXT = {
    "label": str,
    "prediction": str,
    "set": str,
    "source": str,
}  # "007" and "NA" are names of classes
READERS = {"text": "tokenizer", "image": "image_processor", "audio": "feature_extractor"}


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
        self.check_single()
        with opening(self.folder.model):
            return self._loaded(library_of(self.folder.model))

    def _loaded(self, library: str) -> Any:
        if library in ("sentence-transformers", "sentence-pairs"):
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(self.folder.model))
        import transformers

        from pipelines.models.output import adapter_folder

        section = self.recipe.model
        auto = getattr(transformers, self.recipe.task.auto_class)
        trusts_code = section.trust_remote_code
        if library == "peft":
            bits = section.quantization
            return adapter_folder.read(self.folder.model, auto, bits, trusts_code=trusts_code)
        return auto.from_pretrained(self.folder.model, trust_remote_code=trusts_code)

    def check_single(self) -> None:
        """Refuse a run of several models, none of which gives the answers by itself.

        Raises:
            ModelError: it is one; says what predicts with all of them.
        """
        if library_of(self.folder.model) == "side-by-side":
            raise ModelError(
                f"{self.folder.model}: several models side by side; expected a run of one "
                "checkpoint; `graft predict`, run.predict() and the lines in the model card use "
                f"all of them: {self.folder.card}"
            )

    def check_single_pass(self) -> None:
        """Refuse a run whose answers need more than one pass of one model.

        Raises:
            ModelError: it is one; says what predicts with it.
        """
        self.check_single()
        if library_of(self.folder.model) == "sentence-pairs":
            raise ModelError(
                f"{self.folder.model}: the texts of a pair are encoded apart; expected a run that "
                "reads both in one sequence (strategy.pairs=together); `graft predict`, "
                f"run.predict() and the lines in the model card use it: {self.folder.card}"
            )

    @without_bars()
    def pipeline(self, **options: Any) -> Any:
        """Load the trained model as a `transformers.pipeline`.

        Args:
            options: more arguments of `transformers.pipeline`, such as `device` or `top_k`.

        Raises:
            ModelError: transformers has no pipeline for this model; `model()` loads it.
        """
        task, folder, library = self.recipe.task, self.folder.model, library_of(self.folder.model)
        kinds = {
            "sentence-transformers": "a sentence-transformers model",
            "sentence-pairs": "a sentence-transformers model with a head on two vectors",
            "side-by-side": "several models side by side",
        }
        if library in kinds or task.usage(folder.as_posix()):
            kind = kinds.get(library, task.name)
            raise ModelError(
                f"{folder}: transformers has no pipeline for {kind}; use run.model(), as the "
                f"model card shows: {self.folder.card}"
            )
        import transformers

        pipeline: Any = transformers.pipeline  # mypy would have one of its overloads
        if library == "transformers":
            options = {"trust_remote_code": self.recipe.model.trust_remote_code, **options}
            return pipeline(task.pipeline, model=str(folder), **options)
        model = self.model()
        # the checkpoint's own class, whose layers the adapter changes; prompts need peft's
        model = model if model.active_peft_config.is_prompt_learning else model.get_base_model()
        reader = {READERS[task.modality]: str(folder)}
        return pipeline(task.pipeline, model=model, **reader, **options)

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
            inputs: a text, a list of texts, a file or a folder, a mapping of columns, a pandas
                table, or a `Dataset`.
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
