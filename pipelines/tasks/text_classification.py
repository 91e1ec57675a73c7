"""One text or a pair of texts -> one label, several labels or a number."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.errors import DataError, ModelError
from pipelines.tasks import Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.labels import Labels

UNSET = int(1e6)  # tokenizers that know no limit say 1e30


class TextClassification(Task):
    """Sequence classification or regression; the problem type follows from the label column."""

    modality: ClassVar[str] = "text"
    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    pipeline: ClassVar[str] = "text-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": ("text", "sentence", "sentence1", "question", "premise", "content", "review"),
        "text_pair?": ("text_pair", "sentence2", "hypothesis"),
        "label": ("label", "labels", "target", "score"),
    }

    max_length: int | None = Field(None, ge=2, description="tokens; the model's limit by default")

    def load_processor(self, checkpoint: str, **options: Any) -> Any:
        """The tokenizer; a model without a padding token (GPT-2) pads with its end token."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(checkpoint, **options)
        if len(tokenizer) <= len(tokenizer.all_special_tokens):  # what it is without its files
            raise ModelError(
                f"{checkpoint}: its tokenizer knows no words; is tokenizer.json there?"
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any) -> None:
        """Padding token and length limit, agreed between model and tokenizer.

        Two positions are kept back where only the config has a limit: RoBERTa counts positions
        from `padding_idx + 1`.
        """
        config.pad_token_id = processor.pad_token_id
        limit = processor.model_max_length
        if limit > UNSET:
            limit = getattr(config, "max_position_embeddings", 514) - 2
        processor.model_max_length = min(limit, self.max_length or limit)

    def check(self, dataset: "Dataset", split: str) -> None:
        """Every text is a string."""
        for column in set(dataset.column_names) & {"text", "text_pair"}:
            for row, text in enumerate(dataset[column][:]):
                if not isinstance(text, str):
                    raise DataError(f"{split}, row {row}: {column} is {text!r}; expected a string")

    def encode(self, dataset: "Dataset", processor: Any, labels: "Labels") -> "Dataset":
        """Token ids without padding, cut at the tokenizer's `model_max_length`, and `labels`."""
        targets = labels.encode(dataset["label"][:], "data")
        columns = [name for name in ("text", "text_pair") if name in dataset.column_names]

        def tokenize(batch: dict[str, list[str]]) -> Any:
            return processor(*(batch[name] for name in columns), truncation=True)

        encoded = dataset.map(
            tokenize, batched=True, remove_columns=dataset.column_names, desc="tokenizing"
        )
        return encoded.add_column("labels", targets)

    def collator(self, processor: Any) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Pads each batch to its own longest row."""
        from transformers import DataCollatorWithPadding

        return DataCollatorWithPadding(processor)

    def show(self, dataset: "Dataset", row: int, processor: Any) -> list[str]:
        """The tokens as the model sees them."""
        return processor.convert_ids_to_tokens(dataset[row]["input_ids"])
