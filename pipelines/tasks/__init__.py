"""What is to be learned: one file per task.

A task says which columns it needs, how examples become model inputs, which auto class carries
its head, how a batch is put together, and how the model's outputs are read as predictions.

    rows by role ── labels ──▶ Labels                       what train has to teach
                 ── encode ──▶ rows of model inputs          one or more for each example
                 ── targets ─▶ what predictions are compared with, one for each example
    outputs      ── read ────▶ what is kept of a batch, one entry for each row
                 ── predict ─▶ predictions, one for each example, in the form of the targets

A file that starts with `_` holds what several tasks share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pipelines.core.section import Named

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation

Batch = dict[str, Any]
Answers = Any  # predictions or targets: a sequence with an entry for each example, or an array
ModelOutputs = Mapping[
    str, "Sequence[np.ndarray] | np.ndarray"
]  # name -> an entry for each encoded row


@dataclass(frozen=True, eq=False)
class Measure:
    """A number for each example, or a word.

    Attributes:
        most: what the model takes; more than that is cut off.
    """

    values: "np.ndarray"
    most: float | None = None


class Task(Named):
    """Base of all tasks; after `data.load` every column is called by its role."""

    modality: ClassVar[str]  # text, image or audio
    auto_class: ClassVar[str]  # such as AutoModelForSequenceClassification
    pipeline: ClassVar[str]  # the name that transformers.pipeline knows, and the Hub's tag
    # role -> the column names that are obviously it; a role that ends in ? may be missing, one that
    # ends in + is a list: one column of lists, or several columns
    roles: ClassVar[dict[str, tuple[str, ...]]]
    target: ClassVar[str | None] = (
        "label"  # the role that is to be predicted; None: the text itself
    )
    streams: ClassVar[bool] = False  # whether `encode` takes a split that flows by, too
    # what gets an answer of its own from a linear head that can be solved for; None where the
    # loss is no sum over such answers
    answers_per: ClassVar[Literal["example", "token"] | None] = None
    # what the model's loss is the mean of
    loss_per: ClassVar[Literal["row", "token"]] = "row"
    varies: ClassVar[bool] = False  # whether each batch to train on is made anew, as by masking
    # whether scores stand at the floor for some epochs while the loss falls: early stopping waits
    starts_at_baseline: ClassVar[bool] = False

    # What is to be learned

    def labels(self, train: "Dataset") -> "Labels":
        """What train has to teach.

        Raises:
            DataError: nothing can be learned from the column.
        """
        raise NotImplementedError

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """The metrics of a recipe that names none; the first chooses the checkpoint."""
        raise NotImplementedError

    def example(self, labels: "Labels") -> tuple[Answers, Answers]:
        """Predictions and targets as `predict` and `targets` give them, with every class there is.

        The metrics score them before training, so that what would fail after it fails now.
        """
        raise NotImplementedError

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """The tokenizer, image processor or feature extractor saved with `checkpoint`."""
        raise NotImplementedError

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """Write into the model's config what processor and labels decide (a padding token, say)."""

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """(row, what is wrong with it) of every row that cannot be read."""
        raise NotImplementedError

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """(row, why) of every row that this model cannot take.

        `augmentation` is that of `encode`, which comes next: what has to be made here of the
        examples may be kept for it.
        """
        return iter(())

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Rows by role -> rows of model inputs and `labels`, in the same order.

        `augmentation` is given for train only, and varies an example each time it is asked for.
        """
        raise NotImplementedError

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], Batch]:
        """What puts encoded rows together into one batch of tensors."""
        raise NotImplementedError

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> Mapping[str, Measure]:
        """How large the examples are, by unit ("tokens"), before anything is cut off."""
        return {}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """An encoded example as a person reads it, for `graft check`."""
        raise NotImplementedError

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Answers:
        """What predictions are compared with, one for each example; `rows` are the encoded ones."""
        raise NotImplementedError

    def read(self, outputs: Any, batch: Batch) -> dict[str, "Sequence[Any]"]:
        """What is kept of a batch: name -> a tensor for each row, without padding.

        A single tensor (rows, …) is a sequence of rows, too.
        """
        return {"logits": outputs.logits}

    def predict(self, kept: ModelOutputs, rows: Any, processor: Any, labels: "Labels") -> Answers:
        """What was kept of all `rows`, in their order -> one prediction for each example."""
        raise NotImplementedError

    def baseline(self, train: Answers, targets: Answers, labels: "Labels") -> Answers:
        """What is predicted by who knows the targets of train and never looks at an example.

        Of the split's own `targets` it may know the number and the shapes, not the values.
        """
        raise NotImplementedError

    def loss(self, train: Answers, labels: "Labels") -> Callable[..., Any] | None:
        """`loss(outputs, labels, num_items_in_batch)`; None where the model's own is right."""
        return None

    def usage(self, model: str) -> str | None:
        """Python that loads the model from `model` and predicts, where no pipeline does it."""
        return None
