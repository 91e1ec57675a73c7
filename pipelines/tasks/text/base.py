"""What all tasks on texts share: the tokenizer, its limit, and columns of strings."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.tasks import Batch, Measure, Task
from pipelines.tasks.text.padding import Padding

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels

UNSET = int(1e6)  # tokenizers that know no limit say 1e30


class TextTask(Task):
    """A task whose examples are texts; the processor is a tokenizer."""

    modality: ClassVar[str] = "text"

    max_length: int | None = Field(None, ge=2, description="tokens; the model's limit by default")

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
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

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """Padding token and length limit, agreed between model and tokenizer.

        Two positions are kept back where only the config has a limit: RoBERTa counts positions
        from `padding_idx + 1`.
        """
        super().configure(config, processor, labels)
        config.pad_token_id = processor.pad_token_id
        limit = processor.model_max_length
        if limit > UNSET:
            limit = getattr(config, "max_position_embeddings", 514) - 2
        processor.model_max_length = min(limit, self.max_length or limit)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Rows with something else than a string where a text should be."""
        for column in self.text_columns(dataset):
            for row, text in enumerate(dataset[column][:]):
                if not isinstance(text, str):
                    yield row, f"{column} is {text!r}; expected a string"

    def text_columns(self, dataset: "Dataset") -> list[str]:
        """The columns of strings that the tokenizer reads, in its order."""
        return [name for name in ("text", "text_pair") if name in dataset.column_names]

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Pads each batch to its own longest row."""
        return Padding.of(processor)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Tokens of each example; those that fill the model are counted again without a limit."""
        columns = self.text_columns(dataset)
        if len(rows) != len(dataset) or not columns:
            return {}  # an example has several rows, or shares one with others
        lengths = rows.lengths.copy()
        most = processor.model_max_length
        full = np.flatnonzero(lengths >= most)
        if len(full):
            texts = dataset.select(full)
            whole = processor(*(texts[name][:] for name in columns), verbose=False)
            lengths[full] = [len(ids) for ids in whole["input_ids"]]
        return {"tokens": Measure(lengths, most)}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """The tokens as the model sees them."""
        return processor.convert_ids_to_tokens(rows[row]["input_ids"])
