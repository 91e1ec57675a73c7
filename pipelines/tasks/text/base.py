"""What all tasks on texts share: the tokenizer, its length limit, and columns of strings."""

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

MAX_KNOWN_LENGTH = int(1e6)  # tokens; tokenizers without a limit report 1e30


def check_words(tokenizer: Any, checkpoint: str) -> None:
    """Refuse a tokenizer that would read every text as the same one.

    Raises:
        ModelError: it has no vocabulary.
    """
    # transformers builds a tokenizer of special tokens only where it finds no files
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ModelError(
            f"{checkpoint}: its tokenizer knows no words, so no text can be encoded; is "
            "tokenizer.json missing?"
        )


class TextTask(Task):
    """A task whose examples are texts; the processor is a tokenizer."""

    modality: ClassVar[str] = "text"

    max_length: int | None = Field(None, ge=2, description="tokens; the model's limit by default")

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """Load the tokenizer; one without a padding token (GPT-2) pads with its end token.

        Raises:
            ModelError: the checkpoint has no vocabulary.
        """
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(checkpoint, **options)
        check_words(tokenizer, checkpoint)
        if tokenizer.pad_token is None:
            # an existing token, since a new one would have no row in the embeddings
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any, labels: "Labels") -> None:
        """Make model and tokenizer agree on the padding token and on the length limit."""
        super().configure(config, processor, labels)
        # by this id GPT-2's classification head finds the last token that is no padding
        config.pad_token_id = processor.pad_token_id
        limit = processor.model_max_length
        if limit > MAX_KNOWN_LENGTH:
            # two positions less than the config has: RoBERTa counts from `padding_idx + 1`
            limit = getattr(config, "max_position_embeddings", 514) - 2
        # it is saved with the tokenizer, so that a pipeline cuts texts where training did
        processor.model_max_length = min(limit, self.max_length or limit)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield rows in which a text is not a string."""
        for column in self.text_columns(dataset):
            for row, text in enumerate(dataset[column][:]):
                if not isinstance(text, str):
                    yield row, f"{column} is {text!r}; expected a string"

    def text_columns(self, dataset: "Dataset") -> list[str]:
        """Return the columns of strings, in the order in which the tokenizer takes them."""
        return [name for name in ("text", "text_pair") if name in dataset.column_names]

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Return a collator that pads each batch to its longest row."""
        return Padding.of(processor)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Count the tokens of each example, before anything is cut off."""
        columns = self.text_columns(dataset)
        if len(rows) != len(dataset) or not columns:
            return {}  # an example has several rows, or shares one with others
        lengths = rows.lengths.copy()
        limit = processor.model_max_length
        # only rows that fill the model may have been cut: encode those again, without the limit
        full = np.flatnonzero(lengths >= limit)
        if len(full):
            texts = dataset.select(full)
            whole = processor(*(texts[name][:] for name in columns), verbose=False)
            lengths[full] = [len(ids) for ids in whole["input_ids"]]
        return {"tokens": Measure(lengths, limit)}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Return the tokens as the model sees them."""
        return processor.convert_ids_to_tokens(rows[row]["input_ids"])
