"""One text or a pair of texts -> one label, several labels or a number."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks._classification import Classification
from pipelines.tasks._texts import TextTask

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.augmentations import Augmentation
    from pipelines.labels import Labels


class TextClassification(TextTask, Classification):
    """Sequence classification or regression; the problem type follows from the label column."""

    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    pipeline: ClassVar[str] = "text-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": ("text", "sentence", "sentence1", "question", "premise", "content", "review"),
        "text_pair?": ("text_pair", "sentence2", "hypothesis"),
        "label": ("label", "labels", "target", "score"),
    }

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> "Dataset":
        """Token ids without padding, cut at the tokenizer's `model_max_length`, and `labels`."""
        targets = labels.encode(dataset["label"][:], "data")
        columns = self.text_columns(dataset)

        def tokenize(batch: dict[str, list[str]]) -> Any:
            return processor(*(batch[name] for name in columns), truncation=True)

        encoded = dataset.map(
            tokenize, batched=True, remove_columns=dataset.column_names, desc="tokenizing"
        )
        return encoded.add_column("labels", targets)
