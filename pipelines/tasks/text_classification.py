"""One text or a pair of texts -> one label, several labels or a number."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks import ColumnLayout
from pipelines.tasks._classification import Classification
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text.base import TextTask

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation
    from pipelines.tasks.encoding.columns import EncodedTexts
    from pipelines.tasks.simple_features import SimpleFeatures

# as in GLUE, SuperGLUE, SNLI, SICK, QQP, MS MARCO, FEVER, MultiRC (three texts) and WikiQA; what
# has an answer beside question and passage asks for yes or no, as in BoolQ
PAIRS: tuple[tuple[str, str | tuple[str, ...]], ...] = (
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text", "text_pair"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("question", "context"),
    ("paragraph", ("question", "answer")),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
    ("question", "answer"),
)
PAIR_LABELS = ("gold_label", "entailment_judgment", "is_duplicate", "answer")


class TextClassification(TextTask, Classification):
    """Sequence classification or regression; the problem type follows from the label column."""

    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    pipeline: ClassVar[str] = "text-classification"
    streams: ClassVar[bool] = True
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": (
            "text",
            "sentence",
            "sentence1",
            "question",
            "premise",
            "content",
            "review",
            "message",
        ),
        "text_pair?": ("text_pair",),
        "label": ("label", "labels", "target", "score", "class", "category"),
    }
    layouts: ClassVar[tuple[ColumnLayout, ...]] = tuple(
        ColumnLayout({"text": text, "text_pair": pair}, PAIR_LABELS) for text, pair in PAIRS
    )

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> "EncodedTexts | IterableDataset":
        """Encode texts as token ids, cut at the tokenizer's `model_max_length`, without padding."""
        columns = self.text_columns(dataset)

        def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            """Encode one batch of examples."""
            # no masks: the collator derives them from the lengths
            tokens = processor(
                *(batch[name] for name in columns), truncation=True, return_attention_mask=False
            )
            return {**tokens, "labels": labels.encode(batch["label"], "data")}

        return encode_rows(self, dataset, encode, processor, labels)

    def simple_features(self) -> "SimpleFeatures":
        """Return the words of the texts."""
        from pipelines.tasks.simple_features.bag_of_words import BagOfWords

        return BagOfWords()
