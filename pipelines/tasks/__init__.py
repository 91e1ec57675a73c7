"""Tasks: one file each, with everything that depends on what is to be predicted.

A task names the columns it needs and the auto class that carries its head, turns examples into
model inputs, puts batches together, and turns model outputs into predictions.

    columns by role ── labels ──▶ Labels         the classes of the training split
                    ── encode ──▶ encoded rows   one or more for each example
                    ── targets ─▶ Targets        one for each example
    model outputs   ── collect ─▶ ModelOutputs   one entry for each encoded row
                    ── predict ─▶ Predictions    one for each example, in the form of the targets

A file that starts with `_` holds what several tasks share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipelines.core.section import Named
from pipelines.tasks._types import (
    FILES,
    Batch,
    ColumnLayout,
    Measure,
    ModelOutputs,
    Predictions,
    Targets,
)

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation
    from pipelines.tasks.simple_features import SimpleFeatures

__all__ = [
    "FILES",
    "Batch",
    "ColumnLayout",
    "Measure",
    "ModelOutputs",
    "Predictions",
    "Targets",
    "Task",
]


class Task(Named):
    """Base class of all tasks; `data.load` has named every column after its role."""

    modality: ClassVar[str]  # text, image or audio
    auto_class: ClassVar[str]  # such as AutoModelForSequenceClassification
    pipeline: ClassVar[str]  # the name in transformers.pipeline, and the Hub's tag
    # role -> column names that are recognized; a role that ends in ? is optional, one that ends
    # in + is a list: one column of lists, or several columns
    roles: ClassVar[dict[str, tuple[str, ...]]]
    layouts: ClassVar[tuple[ColumnLayout, ...]] = ()  # the first that fits goes before usual names
    # the role to predict; None where the text itself is predicted
    target: ClassVar[str | None] = "label"
    streams: ClassVar[bool] = False  # whether `encode` also takes a streamed split
    # what a linear head makes one prediction for, so that it can be solved in closed form; None
    # where the loss is no sum over such predictions
    prediction_unit: ClassVar[Literal["example", "token"] | None] = None
    # what the model's own loss is averaged over
    loss_unit: ClassVar[Literal["row", "token"]] = "row"
    varies: ClassVar[bool] = False  # whether training batches are drawn anew, as by masking
    # whether scores stay at the baseline for some epochs while the loss falls; early stopping has
    # to wait for them
    starts_at_baseline: ClassVar[bool] = False

    # Labels and metrics

    def arrange(
        self, splits: "Mapping[str, Dataset]", note: Callable[[str], None]
    ) -> "dict[str, tuple[Dataset, Mapping[int, str]]]":
        """Bring columns that come in several forms into one, and note which form was read.

        Returns:
            split -> (the same rows, position -> what is wrong with a row that has no such form).
        """
        return {split: (dataset, {}) for split, dataset in splits.items()}

    def labels(self, train: "Dataset") -> "Labels":
        """Infer the classes from the training split.

        Raises:
            DataError: the target column teaches nothing.
        """
        raise NotImplementedError

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """Name the metrics of a recipe that names none; the first one chooses the checkpoint."""
        raise NotImplementedError

    def example(self, labels: "Labels") -> tuple[Predictions, Targets]:
        """Make predictions and targets in which every class occurs.

        The metrics score them before training, so that one that does not fit fails then and not
        after it.
        """
        raise NotImplementedError

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """Load the tokenizer, image processor or feature extractor saved with `checkpoint`."""
        raise NotImplementedError

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """Write into `config` what follows from processor and labels, such as a padding token."""

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield (row, reason) for every row that cannot be read."""
        raise NotImplementedError

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Yield (row, reason) for every row that this model cannot take.

        `augmentation` is the one that `encode` gets next, so that a task may cache what it decodes
        here in the form that `encode` needs.
        """
        return iter(())

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode examples as rows of model inputs and `labels`, in the same order.

        `augmentation` is given for the training split only, and applied at every access to a row.
        """
        raise NotImplementedError

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], Batch]:
        """Return the function that joins encoded rows into one batch of tensors."""
        raise NotImplementedError

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> Mapping[str, Measure]:
        """Measure the examples by unit ("tokens", "seconds"), before anything is cut off."""
        return {}

    def remarks(self, dataset: "Dataset", rows: Any) -> Iterator[str]:
        """Yield what needs attention about the examples of a split, such as silent clips."""
        return iter(())

    def limits(self, rows: Any, measures: Mapping[str, Any]) -> Iterator[str]:
        """Yield what users of a model that was trained on `rows` have to know, for its card.

        Args:
            measures: summaries of what `measures` returned; of words, how often each occurs.
        """
        return iter(())

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Describe an encoded example in lines of text, for `graft check`."""
        raise NotImplementedError

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Targets:
        """Return what predictions are compared with; `rows` are the encoded `dataset`."""
        raise NotImplementedError

    def collect(self, outputs: Any, batch: Batch) -> dict[str, "Sequence[Any]"]:
        """Select what `predict` needs of a model's outputs: name -> one tensor for each row.

        Padding is left out. A tensor (rows, …) is a sequence of rows, too.
        """
        return {"logits": outputs.logits}

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: "Labels"
    ) -> Predictions:
        """Turn the collected outputs of all `rows`, in their order, into predictions."""
        raise NotImplementedError

    def baseline(self, train: Targets, targets: Targets, labels: "Labels") -> Predictions:
        """Predict from the targets of the training split alone, without looking at an example.

        Of the split's own `targets` only the number and the shapes may be used, not the values.
        """
        raise NotImplementedError

    def simple_features(self) -> "SimpleFeatures | None":
        """Return what a simple model reads of examples; None where it would say nothing."""
        return None

    def loss(self, train: Targets, labels: "Labels") -> Callable[..., Any] | None:
        """Return `loss(outputs, labels, num_items_in_batch)`; None where the model's own is right.

        `train` are the targets of the training split, from which class weights follow.
        """
        return None

    def row_groups(self, train: Targets, labels: "Labels") -> "Sequence[np.ndarray] | None":
        """Return groups of rows that an epoch draws equally often; None where it draws each once.

        `train` are the targets of the training split; a row may be in several groups.
        """
        return None

    def usage(self, model: str) -> str | None:
        """Return Python code that predicts with the folder or id `model`, where no pipeline can."""
        return None
