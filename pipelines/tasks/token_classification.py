"""The words of a text -> one label for each: entities, parts of speech."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, compress
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pipelines.core import tag_schemes
from pipelines.core.errors import ModelError
from pipelines.core.label_inference import infer_tags
from pipelines.core.labels import IGNORED, NO_TAG
from pipelines.tasks import Batch, Measure, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.words import (
    encode_words,
    label_first_subwords,
    prepend_space,
    reads_words_as_text,
)

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation

USAGE = """
from transformers import pipeline
pipeline("token-classification", model="{model}", aggregation_strategy="first")("…")
"""


class TokenClassification(TextTask):
    """Labels for words that were split already; a word gets the prediction of its first sub-word
    (arXiv 1810.04805, 5.3).

    A text longer than the model takes is read in windows that follow one another, so that every
    word gets a label. A word that the tokenizer drops (a control character, say) is read as an
    unknown one.
    """

    auto_class: ClassVar[str] = "AutoModelForTokenClassification"
    pipeline: ClassVar[str] = "token-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "tokens": ("tokens", "words", "word", "token"),
        "label": (
            *("ner_tags", "tags", "labels", "label", "upos", "pos_tags"),
            *("tag", "ner_tag", "ner", "pos"),
        ),
        # of tables with a word in each row
        "sentence?": ("sentence_id", "sentence #", "sentence id", "sent_id", "sentence_idx"),
    }
    prediction_unit: ClassVar[Literal["example", "token"] | None] = "token"
    loss_unit: ClassVar[Literal["row", "token"]] = "token"

    # Labels and metrics

    def labels(self, train: "Dataset") -> "Labels":
        """Infer the tags of the training split; ids without names are named by their numbers.

        Raises:
            DataError: the label column holds no lists, or fewer than two tags.
        """
        return infer_tags(train)

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """Name F1 of whole entities, or for tags of another kind the accuracy over words."""
        are_entities = tag_schemes.are_entities(labels.names)
        return ("seqeval",) if are_entities else ("token_accuracy",)

    def example(self, labels: "Labels") -> tuple[Predictions, Targets]:
        """Return one text with every tag."""
        return [list(labels.names)], [list(labels.names)]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """Load a tokenizer, and make it read single words as it reads a text.

        Byte-level BPE (GPT-2, RoBERTa, ModernBERT) takes a word without a space before it for the
        middle of another, so a space is added: by an option where the class has one, by a
        normalizer otherwise.

        Raises:
            ModelError: it does not map sub-words to words.
        """
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if not tokenizer.is_fast:
            raise ModelError(
                f"{checkpoint}: its tokenizer does not map sub-words to words, which labels need; "
                "use a checkpoint with a tokenizer.json"
            )
        if not reads_words_as_text(tokenizer):
            options["add_prefix_space"] = True
            tokenizer = super().load_processor(checkpoint, labels, **options)
        if not reads_words_as_text(tokenizer):
            prepend_space(tokenizer.backend_tokenizer)
        tokenizer.truncation_side = "right"  # windows go from left to right
        return tokenizer

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield rows without words, with words that are no strings, or without a tag for each."""
        columns = dataset["tokens"], dataset["label"]
        for row, (words, tags) in enumerate(zip(*columns, strict=True)):
            if not isinstance(words, list):
                yield row, f"tokens is {words!r}; expected a list of words"
            elif not words:
                yield row, "tokens is empty; expected at least one word"
            elif len(words) != len(tags):
                yield row, f"{len(words)} words, but {len(tags)} tags; expected a tag for each word"
            elif all(tag in NO_TAG for tag in tags):
                yield row, f"every tag is {IGNORED}, which means none; expected one at least"
            else:
                for i, word in enumerate(words):
                    if not isinstance(word, str):
                        yield row, f"word {i} is {word!r}; expected a string"

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode each example as one row for each window, with the number of its `example`.

        `labels` has a class id where a word begins, and -100 elsewhere.
        """

        def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            """Encode one batch of examples."""
            windows = encode_words(batch["tokens"], processor)
            tags = labels.encode(batch["label"], "data")
            sources = windows["overflow_to_sample_mapping"]
            columns = {
                name: windows[name] for name in processor.model_input_names if name in windows
            }
            columns["labels"] = label_first_subwords(windows, tags)
            columns["example"] = [batch["example"][source] for source in sources]
            # a word longer than a window leaves windows in which none begins
            begins = [set(ids) != {IGNORED} for ids in columns["labels"]]
            return {name: list(compress(column, begins)) for name, column in columns.items()}

        # windows are joined to examples again by this number
        numbered = dataset.add_column("example", list(range(len(dataset))))
        return encode_rows(self, numbered, encode, processor, labels)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Count the words of each example, which windows take without a limit."""
        return {"words": Measure(np.array([len(words) for words in dataset["tokens"]]))}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Return the tokens of the example's first window."""
        return super().show(rows, rows["example"][:].index(row), processor)

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Targets:
        """Return the names of each example's tags, without the words that have none."""
        encoded = labels.encode(dataset["label"][:], "data")
        return [_names(tags, labels) for tags in encoded]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Sequence[Any]]:
        """Select the (words, num_labels) logits of the words that begin in each window."""
        begins = batch["labels"] != IGNORED
        pairs = zip(outputs.logits, begins, strict=True)
        return {"logits": [logits[selected] for logits, selected in pairs]}

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: "Labels"
    ) -> Predictions:
        """Return the names of the likeliest tags, one for each word that has a tag."""
        examples = rows["example"][:]
        # the last row is of the last example: rows keep the order, and no example is without one
        predictions: list[list[str]] = [[] for _ in range(examples[-1] + 1)]
        for example, logits in zip(examples, outputs["logits"], strict=True):
            predictions[example] += _names(logits.argmax(axis=-1), labels)
        return predictions

    def baseline(self, train: Targets, targets: Targets, labels: "Labels") -> Predictions:
        """Predict the most frequent tag for every word."""
        ((majority, _),) = Counter(chain.from_iterable(train)).most_common(1)
        return [[majority] * len(tags) for tags in targets]

    def loss(self, train: Targets, labels: "Labels") -> Callable[..., Any]:
        """Return cross-entropy over all words of a step; the models' own averages each batch."""
        from pipelines.core.losses import CrossEntropy

        return CrossEntropy()

    def usage(self, model: str) -> str:
        """Return code that gives a word the tag of its first sub-word, as in training."""
        return USAGE.strip().format(model=model)


def _names(ids: Iterable[int], labels: "Labels") -> list[str]:
    return [labels.names[i] for i in ids if i != IGNORED]
