"""A text and several endings or answers -> the one that fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.core.errors import DataError
from pipelines.core.labels import CHOICE, Labels
from pipelines.tasks import Batch, ColumnLayout, Measure, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text import choices
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.padding import Padding

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation

USAGE = """
from transformers import AutoModelForMultipleChoice, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForMultipleChoice.from_pretrained("{model}")
inputs = tokenizer(["text…"] * 2, ["one choice…", "another…"], padding=True, return_tensors="pt")
model(**{{name: rows.unsqueeze(0) for name, rows in inputs.items()}}).logits.argmax(-1)
"""


class MultipleChoice(TextTask):
    """Multiple choice as in SWAG (arXiv 1808.05326): every example has the same number of choices.

    Each choice is read after the text, behind the question if that is apart from it, and gets one
    score; the softmax is over the scores of an example (arXiv 1810.04805, 4.4).
    """

    auto_class: ClassVar[str] = "AutoModelForMultipleChoice"
    pipeline: ClassVar[str] = "multiple-choice"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "text": (
            "text",
            "startphrase",
            "context",
            "ctx",
            "article",
            "passage",
            "paragraph",
            "story",
            "premise",
            "sentence",
            "question",
            "question_stem",
            "goal",
            "prompt",
        ),
        "question?": ("question",),
        "choices+": ("choices", "endings", "options", "ending", "choice", "option", "sol"),
        "label": (
            "label",
            "labels",
            "answer",
            "answerKey",
            "answer_key",
            "correct",
            "correct_option",
        ),
    }
    layouts: ClassVar[tuple[ColumnLayout, ...]] = (
        ColumnLayout({"text": "sent1", "question": "sent2"}),  # SWAG
        # Cosmos QA, Social IQa, MMLU, MedMCQA
        ColumnLayout({"choices": ("answer0", "answer1", "answer2", "answer3")}),
        ColumnLayout({"choices": ("answerA", "answerB", "answerC")}),
        ColumnLayout({"choices": ("A", "B", "C", "D", "E")}),
        ColumnLayout({"choices": ("A", "B", "C", "D")}),
        ColumnLayout({"choices": ("option_a", "option_b", "option_c", "option_d")}),
        ColumnLayout({"choices": ("opt_a", "opt_b", "opt_c", "opt_d")}),
        ColumnLayout({"choices": ("opa", "opb", "opc", "opd")}, labels=("cop",)),
    )

    # Labels and metrics

    def arrange(
        self, splits: "Mapping[str, Dataset]", note: Callable[[str], None]
    ) -> "dict[str, tuple[Dataset, Mapping[int, str]]]":
        """Make choices lists of texts, and labels the place of the right one."""
        return choices.arrange(splits, note)

    def labels(self, train: "Dataset") -> Labels:
        """Return what the choices are called, in their order: 0 to 3, 1 to 4, A to D…

        Raises:
            DataError: there is not one label for each choice.
        """
        num_choices, names = len(train[0]["choices"]), train.features["label"].names
        if len(names) != num_choices:
            raise DataError(
                f"train: labels are {', '.join(map(repr, names))}; expected one for each of the "
                f"{num_choices} choices, such as 0 to {num_choices - 1}"
            )
        return Labels(CHOICE, tuple(names), tuple(range(num_choices)))

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Name accuracy."""
        return ("accuracy",)

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """Return right predictions of every position."""
        return labels.example(), labels.example()

    # Examples -> model inputs

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Set one output: the score of a choice, however many there are."""
        super().configure(config, processor, labels)
        config.num_labels = 1

    def text_columns(self, dataset: "Dataset") -> list[str]:
        """Return the text and, if there is one, the question about it."""
        return [name for name in ("text", "question") if name in dataset.column_names]

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode each example as lists of token ids, one for each pair of text and choice."""
        num_choices = labels.num_labels

        def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
            """Encode one batch of examples."""
            pairs = _pairs(batch)
            encoded = processor(*pairs, truncation=True, return_attention_mask=False)
            starts = range(0, len(encoded["input_ids"]), num_choices)
            columns = {}
            for name, column in encoded.items():
                columns[name] = [column[i : i + num_choices] for i in starts]
            return {**columns, "labels": labels.encode(batch["label"], "data")}

        return encode_rows(self, dataset, encode, processor, labels)

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Return a collator that pads to the longest choice of the batch."""
        return ChoiceCollator(Padding.of(processor))

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Count the tokens of each example's text and longest choice, before truncation."""
        lengths = rows.lengths.copy()
        limit = processor.model_max_length
        # only rows that fill the model may have been cut: encode those again, without the limit
        full = np.flatnonzero(lengths >= limit)
        if len(full):
            whole = processor(*_pairs(dataset.select(full)[:]), verbose=False)
            sizes = np.array(list(map(len, whole["input_ids"])))
            lengths[full] = sizes.reshape(len(full), -1).max(axis=1)
        return {"tokens": Measure(lengths, limit)}

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Return the tokens of the right choice, as the model sees them."""
        encoded = rows[row]
        return processor.convert_ids_to_tokens(encoded["input_ids"][encoded["labels"]])

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """Return the positions of the right choices, from 0."""
        return labels.encode(dataset["label"][:], "data")

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """Predict the position of the highest score."""
        return labels.predict(np.asarray(outputs["logits"]))

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """Predict the most frequent position."""
        return labels.baseline(train, len(targets))

    def usage(self, model: str) -> str:
        """Return code that scores the choices; transformers has no pipeline for it."""
        return USAGE.strip().format(model=model)


@dataclass(frozen=True)
class ChoiceCollator:
    """Pads all choices of a batch to the longest of them."""

    pad: Padding

    def __call__(self, rows: Any) -> Batch:
        """Return (rows, choices, tokens) inputs and (rows,) labels, int64."""
        batch = self.pad(rows)
        labels = batch.pop("labels")
        shaped = {name: t.view(len(labels), -1, t.shape[1]) for name, t in batch.items()}
        return {**shaped, "labels": labels}


def _pairs(batch: dict[str, list[Any]]) -> tuple[list[str], list[str]]:
    """Pair each choice of each example with its text.

    A question stands with the choice: behind a long text it would be cut off.
    """
    texts, endings = [], []
    questions = batch.get("question") or [""] * len(batch["text"])
    for text, question, row in zip(batch["text"], questions, batch["choices"], strict=True):
        for ending in row:
            texts.append(text)
            endings.append(f"{question} {ending}" if question else ending)
    return texts, endings
