"""What is to be learned: one file per task.

A task says which columns it needs, how examples become model inputs, which auto class carries
its head, how a batch is put together and what predictions the logits mean.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.section import Named

if TYPE_CHECKING:
    from collections.abc import Callable

    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.labels import Labels


class Task(Named):
    """Base of all tasks; after `data.load` every column is called by its role."""

    modality: ClassVar[str]  # text, image or audio
    auto_class: ClassVar[str]  # such as AutoModelForSequenceClassification
    pipeline: ClassVar[str]  # the name that transformers.pipeline knows
    # role -> the column names that are obviously it; a role that ends in ? may be missing
    roles: ClassVar[dict[str, tuple[str, ...]]]

    problem_type: str = "auto"  # or single_label_classification, multi_label_…, regression

    def load_processor(self, checkpoint: str, **options: Any) -> Any:
        """The tokenizer, image processor or feature extractor saved with `checkpoint`."""
        raise NotImplementedError

    def configure(self, config: "PretrainedConfig", processor: Any) -> None:
        """Write into the model's config what the processor decides (a padding token, say)."""

    def check(self, dataset: "Dataset", split: str) -> None:
        """Refuse rows that cannot be read or encoded.

        Raises:
            DataError: names the split, the row and what is wrong with it.
        """
        raise NotImplementedError

    def encode(self, dataset: "Dataset", processor: Any, labels: "Labels") -> "Dataset":
        """Rows by role -> rows of model inputs and `labels`, in the same order."""
        raise NotImplementedError

    def collator(self, processor: Any) -> "Callable[[list[dict[str, Any]]], dict[str, Any]]":
        """What puts encoded rows together into one batch of tensors."""
        raise NotImplementedError

    def show(self, dataset: "Dataset", row: int, processor: Any) -> list[str]:
        """An encoded example as a person reads it, for `graft check`."""
        raise NotImplementedError
