"""Text without labels -> blocks of tokens, some or all of which are to be predicted."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.core.errors import DataError, ModelError, RecipeError
from pipelines.core.labels import IGNORED, LANGUAGE, Labels
from pipelines.tasks import Batch, Measure, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.columns import Columns
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text.base import TextTask

if TYPE_CHECKING:
    import torch
    from datasets import Dataset, IterableDataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation

Ids = list[int]
USUAL = 1024  # tokens of a block where the model takes more, as in transformers' run_clm, run_mlm


class LanguageModeling(TextTask):
    """What causal and masked language modeling share: blocks of joined texts, and perplexity.

    Texts that are not blank are joined, an end token after each, and cut into blocks of
    `block_size` tokens with the special tokens of a text around them (arXiv 1907.11692, full
    sentences). They are joined a thousand at a time, which is how `datasets` maps them; what is
    left over then is a shorter block: dropped, as is usual, a small data set would lose most of
    itself, and perplexity would leave out a part of test that depends on `block_size`.

    An example is a block. Its target is the ids of its tokens that are to be predicted, its
    prediction their mean negative log-likelihood in nats: all that is kept of a pass, since the
    logits of a vocabulary are thousands of times as large.
    """

    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": ("text", "sentence", "content", "document", "article")
    }
    target: ClassVar[str | None] = None
    streams: ClassVar[bool] = True
    loss_unit: ClassVar[Literal["row", "token"]] = "token"
    max_length: ClassVar[None] = None  # type: ignore[misc]  # `block_size` says it here

    block_size: int | None = Field(
        None, ge=2, description="tokens of a block; by default the model's limit, at most 1,024"
    )

    # What each of the two does its own way

    def ask(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """(input ids, labels) of a block in evaluation; the label of what is not asked is -100."""
        raise NotImplementedError

    def asked_at(self, labels: "torch.Tensor") -> "torch.Tensor":
        """(rows, tokens) labels, each where the logits that are about it stand."""
        return labels

    def stretches(self, texts: Iterable[Ids], end: Any) -> Iterable[Ids]:
        """What is cut into blocks: all texts as one, `end` after each."""
        return [[*chain.from_iterable((*ids, end) for ids in texts)]]

    # What is to be learned

    def labels(self, train: "Dataset") -> Labels:
        """Nothing has a name: a text teaches itself."""
        return Labels(LANGUAGE)

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Perplexity."""
        return ("perplexity",)

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """Two blocks of two and three tokens."""
        return np.array([0.5, 1.5]), [np.arange(2), np.arange(3)]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """A tokenizer with a token that ends a text."""
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if _end(tokenizer) is None:
            raise ModelError(
                f"{checkpoint}: its tokenizer has neither an end token nor a separator to put "
                "between texts"
            )
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """The model's own limit stays: what is trained on short blocks may read longer texts."""
        super().configure(config, processor, labels)
        limit, least = processor.model_max_length, processor.num_special_tokens_to_add() + 2
        if not least <= (self.block_size or limit) <= limit:
            raise RecipeError(
                f"task.block_size: {self.block_size}; expected {least} to {limit:,} tokens, which "
                f"this {config.model_type} takes"
            )

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> "Columns | IterableDataset":
        """Blocks of `input_ids`, and their `labels` as evaluation asks for them.

        Raises:
            DataError: there is nothing to predict.
        """
        end, (first, last) = _end(processor), _around(processor)
        size = min(self.block_size or USUAL, processor.model_max_length)

        def encode(batch: dict[str, list[str]]) -> dict[str, list[Ids]]:
            texts = [text for text in batch["text"] if text.strip()]
            ids = processor(texts, add_special_tokens=False)["input_ids"] if texts else []
            pieces = _cut(self.stretches(ids, end), size - len(first) - len(last))
            asked = [self.ask([*first, *piece, *last], processor) for piece in pieces]
            asked = [row for row in asked if any(label != IGNORED for label in row[1])]
            return {"input_ids": [ids for ids, _ in asked], "labels": [y for _, y in asked]}

        rows = encode_rows(self, dataset, encode, processor)
        if isinstance(rows, Columns) and not len(rows):
            raise DataError(
                f"{len(dataset):,} texts hold no token to predict; the first is "
                f"{dataset[0]['text'][:80]!r}"
            )
        return rows

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """None: a text of any length fits, since it goes on in the next block."""
        return {}

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """The ids of the tokens that are to be predicted, an array for each block."""
        return [row[row != IGNORED] for row in rows.lists("labels")]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Any]:
        """The mean negative log-likelihood of each block, in float32 and in nats."""
        import torch
        from torch.nn.functional import cross_entropy

        pairs = zip(outputs.logits, self.asked_at(batch["labels"]), strict=True)
        # row by row: what is computed on the way is as large as the logits, which may be gigabytes
        return {"nll": torch.stack([cross_entropy(row.float(), asked) for row, asked in pairs])}

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """The mean negative log-likelihood of each block."""
        return np.asarray(outputs["nll"], float)

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """What a unigram model of train gives to each block: every token as likely as it was there.

        One is added to every count. The vocabulary ends at the largest id that occurs, so it is
        never larger than the model's, and the floor never too easy.
        """
        seen, asked = np.concatenate(train), np.concatenate(targets)
        counts = np.bincount(seen, minlength=asked.max() + 1) + 1
        surprise = np.log(counts.sum()) - np.log(counts)
        return np.array([surprise[ids].mean() for ids in targets])

    def loss(self, train: Targets, labels: Labels) -> Callable[..., Any]:
        """Cross-entropy, each token of a step weighing the same.

        The models' own is a mean over each accumulated batch, and over each process, where a token
        of a short block, or of one with few masks, weighs more.
        """
        from pipelines.core.losses import CrossEntropy

        return CrossEntropy()


def _end(processor: Any) -> int | None:
    """What stands behind a text; a separator where there is no such token (BERT)."""
    return processor.sep_token_id if processor.eos_token_id is None else processor.eos_token_id


def _around(processor: Any) -> tuple[Ids, Ids]:
    """The special tokens before and after a text."""
    bare, whole = (processor("a", add_special_tokens=s)["input_ids"] for s in (False, True))
    start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def _cut(stretches: Iterable[Ids], room: int) -> Iterator[Ids]:
    """Each stretch in pieces of `room` tokens; the last may be shorter."""
    for ids in stretches:
        yield from (ids[i : i + room] for i in range(0, len(ids), room))
