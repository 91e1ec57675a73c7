"""Text without labels -> blocks of tokens, some or all of which are to be predicted."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.core.errors import DataError, ModelError, RecipeError
from pipelines.core.labels import IGNORED, LANGUAGE, Labels
from pipelines.tasks import Batch, Measure, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.columns import EncodedTexts
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.blocks import Ids, chunks, end_token, special_tokens

if TYPE_CHECKING:
    import torch
    from datasets import Dataset, IterableDataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation

DEFAULT_BLOCK_SIZE = 1024  # tokens, where the model takes more; as in transformers' run_clm


class LanguageModeling(TextTask):
    """What causal and masked language modeling share: blocks of joined texts, and perplexity.

    Texts that are not blank are joined, with an end token after each, and cut into blocks of
    `block_size` tokens with the special tokens of a text around them (arXiv 1907.11692, "full
    sentences"). `datasets` maps a thousand texts at a time, so the rest of each thousand becomes a
    shorter block. It is kept: dropping it, as is usual, would lose most of a small data set, and
    perplexity would leave out a share of test that depends on `block_size`.

    An example is a block. Its target is an array of the token ids to predict, its prediction their
    mean negative log-likelihood in nats. Nothing else of a forward pass is collected: the logits
    of a vocabulary are thousands of times as large.
    """

    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": ("text", "sentence", "content", "document", "article")
    }
    target: ClassVar[str | None] = None
    streams: ClassVar[bool] = True
    loss_unit: ClassVar[Literal["row", "token"]] = "token"
    # `block_size` takes its place in a recipe
    max_length: ClassVar[None] = None  # type: ignore[misc]

    block_size: int | None = Field(
        None, ge=2, description="tokens of a block; by default the model's limit, at most 1,024"
    )

    # What the two tasks define

    def mask_labels(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """Return the input ids and labels of a block in evaluation.

        The label of a token that is not predicted is -100.
        """
        raise NotImplementedError

    def align_labels(self, labels: "torch.Tensor") -> "torch.Tensor":
        """Move (rows, tokens) labels to the positions of the logits that predict them."""
        return labels

    def documents(self, texts: Iterable[Ids], end: Any) -> Iterable[Ids]:
        """Join texts into documents to cut into blocks: here one, with `end` after each text."""
        return [[*chain.from_iterable((*ids, end) for ids in texts)]]

    # Labels and metrics

    def labels(self, train: "Dataset") -> Labels:
        """Return labels without classes: a text is its own target."""
        return Labels(LANGUAGE)

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Name perplexity."""
        return ("perplexity",)

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """Return two blocks, of two and three tokens."""
        return np.array([0.5, 1.5]), [np.arange(2), np.arange(3)]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """Load a tokenizer with a token that ends a text.

        Raises:
            ModelError: it has none.
        """
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if end_token(tokenizer) is None:
            raise ModelError(
                f"{checkpoint}: its tokenizer has neither an end token nor a separator to put "
                "between texts; use another checkpoint, or set eos_token in tokenizer_config.json"
            )
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Check `block_size` against the model's limit, which stays as it is.

        A model that was trained on short blocks may read longer texts.

        Raises:
            RecipeError: a block is too long for the model, or too short for a token to predict.
        """
        super().configure(config, processor, labels)
        limit, minimum = processor.model_max_length, processor.num_special_tokens_to_add() + 2
        if not minimum <= (self.block_size or limit) <= limit:
            raise RecipeError(
                f"task.block_size: {self.block_size}; expected {minimum} to {limit:,} tokens, "
                f"which this {config.model_type} takes"
            )

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> "EncodedTexts | IterableDataset":
        """Encode texts as blocks of `input_ids`, with the `labels` of evaluation.

        Raises:
            DataError: there is nothing to predict.
        """
        end, (prefix, suffix) = end_token(processor), special_tokens(processor)
        block_size = min(self.block_size or DEFAULT_BLOCK_SIZE, processor.model_max_length)
        size = block_size - len(prefix) - len(suffix)

        def encode(batch: dict[str, list[str]]) -> dict[str, list[Ids]]:
            """Encode one batch of texts as blocks."""
            texts = [text for text in batch["text"] if text.strip()]
            ids = processor(texts, add_special_tokens=False)["input_ids"] if texts else []
            columns: dict[str, list[Ids]] = {"input_ids": [], "labels": []}
            for chunk in chunks(self.documents(ids, end), size):
                input_ids, targets = self.mask_labels([*prefix, *chunk, *suffix], processor)
                # the mean over a block without any would be nan
                if any(target != IGNORED for target in targets):
                    columns["input_ids"].append(input_ids)
                    columns["labels"].append(targets)
            return columns

        rows = encode_rows(self, dataset, encode, processor)
        # a stream has to be read before it is known to be empty
        if isinstance(rows, EncodedTexts) and not len(rows):
            raise DataError(
                f"{len(dataset):,} texts hold no token to predict; the first is "
                f"{dataset[0]['text'][:80]!r}; expected words that the tokenizer knows"
            )
        return rows

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Measure nothing: a text of any length fits, since it goes on in the next block."""
        return {}

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """Return an array of the token ids to predict for each block."""
        return [row[row != IGNORED] for row in rows.lists("labels")]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Any]:
        """Compute the mean negative log-likelihood of each block: (rows,) float32, in nats."""
        import torch
        from torch.nn.functional import cross_entropy

        pairs = zip(outputs.logits, self.align_labels(batch["labels"]), strict=True)
        # row by row: intermediate results are as large as the logits, which may be gigabytes
        losses = [cross_entropy(logits.float(), labels) for logits, labels in pairs]
        return {"nll": torch.stack(losses)}

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """Return the mean negative log-likelihood of each block: (blocks,), in nats."""
        return np.asarray(outputs["nll"], float)

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """Score each block by a unigram model of the training split, with add-one smoothing."""
        # The vocabulary ends at the largest id that occurs. It is never larger than the model's,
        # which would make the smoothed baseline too easy to beat.
        vocabulary_size = np.concatenate(targets).max() + 1
        counts = np.bincount(np.concatenate(train), minlength=vocabulary_size) + 1
        nll = np.log(counts.sum()) - np.log(counts)
        return np.array([nll[ids].mean() for ids in targets])

    def loss(self, train: Targets, labels: Labels) -> Callable[..., Any]:
        """Return cross-entropy in which each token of a step weighs the same.

        The models' own loss is a mean over each accumulated batch, and over each process, where a
        token of a short block, or of one with few masks, weighs more.
        """
        from pipelines.core.losses import CrossEntropy

        return CrossEntropy()
