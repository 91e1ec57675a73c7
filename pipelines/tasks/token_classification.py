"""The words of a text -> one label for each: entities, parts of speech."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pipelines.core import labels as target
from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import IGNORED, TOKENS
from pipelines.tasks import Batch, Measure, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.words import in_windows, prepend_space, reads_words, where_words_begin

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation

OUTSIDE = "O"
ENTITY = ("B-", "I-", "E-", "S-")

USAGE = """
from transformers import pipeline
pipeline("token-classification", model="{model}", aggregation_strategy="first")("…")
"""


class TokenClassification(TextTask):
    """Words that were split already, each with a label; a word's first sub-word answers for it
    (arXiv 1810.04805, 5.3).

    A text longer than the model takes is read in windows that follow one another, so that every
    word has an answer. A word that the tokenizer has nothing for (a control character, say) is read
    as an unknown one.
    """

    auto_class: ClassVar[str] = "AutoModelForTokenClassification"
    pipeline: ClassVar[str] = "token-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "tokens": ("tokens", "words"),
        "label": ("ner_tags", "tags", "labels", "label", "upos", "pos_tags"),
    }
    prediction_unit: ClassVar[Literal["example", "token"] | None] = "token"
    loss_unit: ClassVar[Literal["row", "token"]] = "token"

    # What is to be learned

    def labels(self, train: "Dataset") -> "Labels":
        """The tags of train; ids without names go by their numbers."""
        tag = getattr(train.features["label"], "feature", None)
        if tag is None or hasattr(tag, "feature"):
            first = train[0]["label"]
            raise DataError(f"train: column 'label' holds {first!r}; expected a list of tags")
        found = replace(target.infer(train, target.MULTI), problem_type=TOKENS)
        if hasattr(tag, "names"):
            return found
        values = sorted(found.values, key=lambda value: value != OUTSIDE)
        return replace(found, values=tuple(values), names=tuple(map(str, values)))

    def metrics(self, labels: "Labels") -> tuple[str, ...]:
        """F1 of whole entities; for other tags than those of entities the share of right words."""
        inside = [name for name in labels.names if name != OUTSIDE]
        return ("seqeval",) if all(n.startswith(ENTITY) for n in inside) else ("token_accuracy",)

    def example(self, labels: "Labels") -> tuple[Predictions, Targets]:
        """One text with every tag."""
        return [list(labels.names)], [list(labels.names)]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """A tokenizer that reads words as it reads a text.

        One made for text with its spaces (byte-level BPE: GPT-2, RoBERTa, ModernBERT) takes a word
        without a space before it for the middle of another; it is told to add the space. Some
        classes know an option for that, the others get a normalizer that does it.
        """
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if not tokenizer.is_fast:
            raise ModelError(f"{checkpoint}: its tokenizer does not tell words from sub-words")
        if not reads_words(tokenizer):
            options["add_prefix_space"] = True
            tokenizer = super().load_processor(checkpoint, labels, **options)
        if not reads_words(tokenizer):
            prepend_space(tokenizer.backend_tokenizer)
        tokenizer.truncation_side = "right"  # windows go from left to right
        return tokenizer

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Rows without words, with something else than strings, or with more or fewer tags."""
        columns = dataset["tokens"], dataset["label"]
        for row, (words, tags) in enumerate(zip(*columns, strict=True)):
            if not isinstance(words, list):
                yield row, f"tokens is {words!r}; expected a list of words"
            elif not words:
                yield row, "tokens is empty; expected at least one word"
            elif len(words) != len(tags):
                yield row, f"{len(words)} words, but {len(tags)} tags"
            else:
                wrong = (w for w in enumerate(words) if not isinstance(w[1], str))
                yield from ((row, f"word {i} is {w!r}; expected a string") for i, w in wrong)

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """A row for each window, with the number of its `example`.

        `labels` has a class id where a word begins, and -100 elsewhere.
        """

        def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            windows = in_windows(batch["tokens"], processor)
            tags = labels.encode(batch["label"], "data")
            sources = windows["overflow_to_sample_mapping"]
            columns = {
                name: windows[name] for name in processor.model_input_names if name in windows
            }
            columns["labels"] = where_words_begin(windows, tags)
            columns["example"] = [batch["example"][source] for source in sources]
            # a word longer than a window leaves windows in which none begins
            kept = [row for row, ids in enumerate(columns["labels"]) if set(ids) != {IGNORED}]
            return {name: [column[row] for row in kept] for name, column in columns.items()}

        numbered = dataset.add_column("example", list(range(len(dataset))))
        return encode_rows(self, numbered, encode, processor, labels)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Words of each example; windows take as many as there are."""
        return {"words": Measure(np.array([len(words) for words in dataset["tokens"]]))}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """The tokens of the example's first window."""
        return super().show(rows, rows["example"][:].index(row), processor)

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: "Labels") -> Targets:
        """The names of each example's tags."""
        encoded = labels.encode(dataset["label"][:], "data")
        return [[labels.names[i] for i in tags] for tags in encoded]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Sequence[Any]]:
        """(words that begin in it, num_labels) logits of each window."""
        begins = batch["labels"] != IGNORED
        return {"logits": [row[there] for row, there in zip(outputs.logits, begins, strict=True)]}

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: "Labels"
    ) -> Predictions:
        """The names of the likeliest tags: as many for each example as it has words."""
        examples = rows["example"][:]
        predictions: list[list[str]] = [[] for _ in range(examples[-1] + 1)]
        for example, logits in zip(examples, outputs["logits"], strict=True):
            predictions[example] += [labels.names[i] for i in logits.argmax(axis=-1)]
        return predictions

    def baseline(self, train: Targets, targets: Targets, labels: "Labels") -> Predictions:
        """The most frequent tag for every word."""
        ((most, _),) = Counter(chain.from_iterable(train)).most_common(1)
        return [[most] * len(tags) for tags in targets]

    def loss(self, train: Targets, labels: "Labels") -> Callable[..., Any]:
        """The mean over all words of a step; the models' own is one over those of a batch."""
        from pipelines.core.losses import CrossEntropy

        return CrossEntropy()

    def usage(self, model: str) -> str:
        """With the tag of a word's first sub-word for all of it, as in training."""
        return USAGE.strip().format(model=model)
