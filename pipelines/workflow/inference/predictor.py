"""A run folder, another folder or a Hub id -> a model that predicts raw rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines import recipe as recipes
from pipelines.core.errors import RunError
from pipelines.core.labels import Labels
from pipelines.data.columns import Columns
from pipelines.models.output import side_by_side
from pipelines.models.output.reload import LoadedModel, library_of, opening, reload
from pipelines.report import strict_json
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import ModelOutputs, Task

AGAIN = "train the run again, or predict with another one"
WITHOUT_LABELS = "does not say which labels the run has, as those of older versions"


@dataclass(frozen=True)
class Predictor:
    """A model that is ready to predict.

    Attributes:
        name: the run or the checkpoint, for messages.
        labels: what it predicts, with the thresholds that were chosen for it.
        columns: role -> column in the data that it was trained on; empty if not known.
        set_threshold: the least probability of a class in a prediction set; None without sets.
        loaded: the model; None in the form of sentence-transformers, or of several models.
        logits: raw rows -> the outputs of a model in these forms; None for all others.
        parts: of several models, the processor and the config of each that transformers loads.
    """

    name: str
    task: "Task"
    labels: Labels
    columns: Columns
    set_threshold: float | None = None
    loaded: LoadedModel | None = None
    logits: "Callable[[Dataset], ModelOutputs] | None" = None
    parts: tuple[tuple[Any, Any], ...] = ()

    def run(self, rows: "Dataset", **options: Any) -> "tuple[Any, ModelOutputs]":
        """Pass raw rows through the model: (encoded rows, if there are any, and outputs).

        Args:
            options: of `forward.iter_batches`.
        """
        if self.logits:
            return None, self.logits(rows)
        assert self.loaded
        return self.loaded.run(rows, **options)

    @property
    def processor(self) -> Any:
        """What encodes the rows; None where `logits` does."""
        return self.loaded and self.loaded.processor

    @property
    def readers(self) -> tuple[tuple[Any, Any], ...]:
        """Processors and configs, from which follows what rows can be taken."""
        return ((self.processor, self.loaded.model.config),) if self.loaded else self.parts


def of_run(folder: RunFolder) -> Predictor:
    """Load the model of a finished run.

    Raises:
        RunError: the run is not finished, or a file of it is missing or damaged.
    """
    if not folder.done:
        raise RunError(f"{folder}: not finished: there is no metrics.json")
    recipe = recipes.load(folder.recipe)
    data = strict_json.read(folder.data, AGAIN)
    metrics = strict_json.read(folder.metrics, AGAIN)
    try:
        labels = _labels(data["labels"], metrics)
        columns = {str(role): column for role, column in data["columns"].items()}
        threshold = _set_threshold(metrics)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(f"{folder.data}: {WITHOUT_LABELS}; {AGAIN}") from None
    predictor = Predictor(str(folder), recipe.task, labels, columns, threshold)
    library, trusts_code = library_of(folder.model), recipe.model.trust_remote_code
    with opening(folder.model):
        if library in ("sentence-transformers", "sentence-pairs", "side-by-side"):
            predict = reload(
                folder.model, library, recipe.task, labels.unlabeled, trusts_code=trusts_code
            )
            return replace(predictor, logits=predict, parts=_parts(folder, predictor, trusts_code))
        bits = recipe.model.quantization
        loaded = LoadedModel.of(
            folder.model, library, recipe.task, labels.unlabeled, bits, trusts_code=trusts_code
        )
    return replace(predictor, loaded=loaded)


def _parts(
    folder: RunFolder, predictor: Predictor, trusts_code: bool
) -> tuple[tuple[Any, Any], ...]:
    """Load the processor and the config of each model of a folder that transformers loads."""
    from transformers import AutoConfig

    if library_of(folder.model) != "side-by-side":
        return ()
    names, _ = side_by_side.read(folder.model)
    plain = (name for name in names if library_of(name) == "transformers")
    task, labels, trust = predictor.task, predictor.labels, {"trust_remote_code": trusts_code}
    return tuple(
        (
            task.load_processor(str(name), labels, **trust),
            AutoConfig.from_pretrained(name, **trust),
        )
        for name in plain
    )


def _labels(described: Mapping[str, Any], metrics: Mapping[str, Any]) -> Labels:
    """Build the labels of a run from its files, with the thresholds that were chosen."""
    names = tuple(map(str, described["names"]))
    chosen = (metrics.get("thresholds") or {}).get("labels", {})
    thresholds = tuple(float(chosen[name]) for name in names) if chosen else ()
    return Labels(str(described["problem_type"]), names, names, thresholds=thresholds)


def _set_threshold(metrics: Mapping[str, Any]) -> float | None:
    sets = (metrics.get("calibration") or {}).get("conformal")
    return float(sets["threshold"]) if sets else None
