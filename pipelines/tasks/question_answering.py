"""A question and a context -> the span of the context that answers it, or none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from pipelines.core.errors import DataError, ModelError
from pipelines.core.labels import Labels
from pipelines.tasks import Batch, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.columns import by_column
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text import spans as _spans
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.padding import Padding

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation

ANSWERABLE = "question_answering"
PARTLY = "question_answering_with_unanswerable_questions"
LOGITS = ("start_logits", "end_logits")
POSITIONS = ("start_positions", "end_positions")

USAGE = """\
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForQuestionAnswering.from_pretrained("{model}")
inputs = tokenizer("question…", "context…", return_tensors="pt")
outputs = model(**inputs)
starts, ends = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
tokens = [i for i, part in enumerate(inputs.sequence_ids()) if part == 1]
spans = [(i, j) for i in tokens for j in tokens if i <= j < i + {max_answer_length}]
spans += [(0, 0)]  # no answer; leave this out where there always is one
start, end = max(spans, key=lambda span: starts[span[0]] + ends[span[1]])
tokenizer.decode(inputs["input_ids"][0, start : end + 1], skip_special_tokens=True)"""


class QuestionAnswering(TextTask):
    """Extractive question answering in SQuAD's format (arXiv 1606.05250, 1806.03822).

    A context that is too long for `max_length` is read in windows that overlap by `stride` tokens;
    the best span of all windows is the answer. Where train holds questions without an answer, no
    answer can be the answer: its score is that of the first token ([CLS]), in the window where it
    is lowest, and has to exceed the best span's by more than `null_threshold`.
    """

    auto_class: ClassVar[str] = "AutoModelForQuestionAnswering"
    pipeline: ClassVar[str] = "question-answering"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "question": ("question",),
        "context": ("context", "passage", "paragraph"),
        "answers": ("answers", "answer"),
    }
    target: ClassVar[str | None] = "answers"

    max_length: int | None = Field(384, ge=2, description="tokens of question and window together")
    stride: int = Field(128, ge=0, description="tokens that neighboring windows share")
    max_answer_length: int = Field(30, ge=1, description="tokens")
    null_threshold: float = Field(0.0, description="how far no answer has to lead, in logits")

    @field_validator("stride")
    @classmethod
    def _leaves_room(cls, stride: int, said: ValidationInfo) -> int:
        max_length = said.data.get("max_length")
        if max_length and stride >= max_length:
            raise ValueError(f"windows of max_length {max_length} cannot share {stride} tokens")
        return stride

    # What is to be learned

    def labels(self, train: "Dataset") -> Labels:
        """Whether there are questions without an answer; what the head gives is always the same."""
        answered, corrupt_rows = [], []
        for row, answers in enumerate(train["answers"][:]):
            try:
                answered.append(bool(_spans.accepted(answers)))
            except ValueError as error:
                corrupt_rows.append(f"train, row {row}: {error}")
        if not any(answered):
            nothing = "train: no question has an answer: there is nothing to learn"
            raise DataError(next(iter(corrupt_rows), nothing))
        return Labels(ANSWERABLE if all(answered) else PARTLY)

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """SQuAD's F1 and exact match."""
        return ("squad",)

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """One of two accepted answers, and none."""
        return ["one", ""], [["one", "another"], []]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """The tokenizer, which has to know where in a text its tokens stand."""
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if not tokenizer.is_fast:
            raise ModelError(f"{checkpoint}: its tokenizer does not tell where its tokens stand")
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Two outputs for each token, also where the checkpoint's own head has others."""
        super().configure(config, processor, labels)
        config.num_labels = len(LOGITS)

    def text_columns(self, dataset: "Dataset") -> list[str]:
        """Question and context."""
        return ["question", "context"]

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Rows without two strings, or whose answers do not stand where they should."""
        yield from super().corrupt_rows(dataset)
        pairs = zip(dataset["context"][:], dataset["answers"][:], strict=True)
        for row, (context, answers) in enumerate(pairs):
            try:
                accepted = _spans.accepted(answers)
            except ValueError as error:
                yield row, str(error)
                continue
            for text, start in accepted if isinstance(context, str) else ():
                problem = _spans.misplaced(context, text, start)
                if problem:
                    yield row, problem

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Questions so long that the windows could not move on."""
        size = processor.model_max_length
        special = processor.num_special_tokens_to_add(pair=True)
        questions = processor(dataset["question"][:], add_special_tokens=False, verbose=False)
        for row, ids in enumerate(questions["input_ids"]):
            room = max(size - special - len(ids), 0)
            if room <= self.stride:
                yield (
                    row,
                    f"its question of {len(ids)} tokens leaves room for {room} of the context in "
                    f"a window of {size}; expected more than task.stride={self.stride}",
                )

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Labels,
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """A row for each window, with the positions of the answer's first and last token in it.

        It also keeps what `predict` reads: the number of its example, context and flat offsets.
        """
        stride = self.stride

        def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
            windows = processor(
                batch["question"],
                batch["context"],
                truncation="only_second",
                stride=stride,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
                return_attention_mask=False,
            )
            source = windows.pop("overflow_to_sample_mapping")
            offsets = [_spans.offsets_of(windows, row) for row in range(len(source))]
            answers = [batch["answers"][i] for i in source]
            spans = np.array(list(map(_spans.positions, offsets, answers)))
            return {
                **windows,
                **dict(zip(POSITIONS, spans.T, strict=True)),
                "example": [batch["example"][i] for i in source],
                "context": [batch["context"][i] for i in source],
                "offset_mapping": [pairs.ravel() for pairs in offsets],
            }

        numbered = dataset.add_column("example", list(range(len(dataset))))
        return encode_rows(self, numbered, encode, processor)

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Pads on the tokenizer's side; positions move along with the tokens."""
        return PaddedWindows(Padding.of(processor))

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """The tokens of the example's first window."""
        return super().show(rows, rows["example"][:].index(row), processor)

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """The accepted answers' texts; none where there is no answer."""
        return [[text for text, _ in _spans.accepted(a)] for a in dataset["answers"][:]]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Sequence[Any]]:
        """(tokens,) logits of starts and of ends for each window."""
        masks = batch["attention_mask"].bool().cpu()
        return {
            name: [row[mask] for row, mask in zip(outputs[name].cpu(), masks, strict=True)]
            for name in LOGITS
        }

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """The answers' texts; "" for no answer."""
        offsets = (flat.reshape(-1, 2) for flat in rows.lists("offset_mapping"))
        windows = (
            _spans.read(context, pairs, starts, ends, self.max_answer_length)
            for context, pairs, starts, ends in zip(
                rows["context"][:], offsets, *(outputs[name] for name in LOGITS), strict=True
            )
        )
        threshold = self.null_threshold if labels.problem_type == PARTLY else None
        by_example = groupby(zip(rows["example"][:], windows, strict=True), itemgetter(0))
        return [_spans.choose([w for _, w in group], threshold) for _, group in by_example]

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """No answer: no span is right unseen."""
        return [""] * len(targets)

    def usage(self, model: str) -> str:
        """What `predict` does with a window; transformers 5 has no pipeline for it."""
        return USAGE.format(model=model, max_answer_length=self.max_answer_length)


@dataclass(frozen=True)
class PaddedWindows:
    """Windows -> batch."""

    pad: Padding

    def __call__(self, rows: Any) -> Batch:
        """Tokens as `pad` pads them, and where in the batch the answers start and end."""
        import torch

        batch = self.pad(rows)
        first = batch["attention_mask"].argmax(1)  # among equals the first
        found = by_column(rows, POSITIONS)
        return batch | {name: first + torch.from_numpy(found[name]) for name in POSITIONS}
