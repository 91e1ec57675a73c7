"""A question and a context -> the span of the context that answers it, or none."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from pipelines.core.errors import ModelError
from pipelines.core.labels import Labels
from pipelines.tasks import Batch, ColumnLayout, ModelOutputs, Predictions, Targets
from pipelines.tasks.encoding.dataset_map import encode_rows
from pipelines.tasks.text import answerability, spans
from pipelines.tasks.text.base import TextTask
from pipelines.tasks.text.padding import Padding
from pipelines.tasks.text.windows import LOGITS, WindowCollator, best_spans, encode_windows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.augmentations import Augmentation

USAGE = """\
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForQuestionAnswering.from_pretrained("{model}")
question, context = "question…", "context…"
inputs = tokenizer(question, context, return_tensors="pt")
outputs = model(**inputs)
starts, ends = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
tokens = [i for i, part in enumerate(inputs.sequence_ids()) if part == 1]
spans = [(i, j) for i in tokens for j in tokens if i <= j < i + {max_answer_length}]
spans += [(0, 0)]  # no answer; leave this out where there always is one
start, end = max(spans, key=lambda span: starts[span[0]] + ends[span[1]])
first, last = inputs.token_to_chars(0, start), inputs.token_to_chars(0, end)
context[first.start : last.end] if first else ''"""


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
    layouts: ClassVar[tuple[ColumnLayout, ...]] = (
        ColumnLayout({"answers": ("answer_text", "answer_start")}),
        ColumnLayout({"answers": ("answer", "answer_start")}),
    )
    target: ClassVar[str | None] = "answers"

    # the three numbers of BERT's scripts for SQuAD
    max_length: int | None = Field(384, ge=2, description="tokens of question and window together")
    stride: int = Field(128, ge=0, description="tokens that neighboring windows share")
    max_answer_length: int = Field(30, ge=1, description="tokens")
    null_threshold: float = Field(0.0, description="how far no answer has to lead, in logits")

    @field_validator("stride")
    @classmethod
    def _leaves_room(cls, stride: int, info: ValidationInfo) -> int:
        # it is there, since pydantic checks fields in their order; None where it was refused
        max_length = info.data.get("max_length")
        if max_length and stride >= max_length:
            raise ValueError(f"windows of max_length {max_length} cannot share {stride} tokens")
        return stride

    # Labels and metrics

    def labels(self, train: "Dataset") -> Labels:
        """Find out whether there are questions without an answer; there are no classes.

        Raises:
            DataError: no question has an answer.
        """
        return answerability.infer(train["answers"][:])

    def metrics(self, labels: Labels) -> tuple[str, ...]:
        """Name SQuAD's metric: F1 and exact match."""
        return ("squad",)

    def example(self, labels: Labels) -> tuple[Predictions, Targets]:
        """Return one of two accepted answers, and no answer."""
        return ["one", ""], [["one", "another"], []]

    # Examples -> model inputs

    def load_processor(self, checkpoint: str, labels: Labels, **options: Any) -> Any:
        """Load a tokenizer that knows the characters of each token.

        Raises:
            ModelError: it does not.
        """
        tokenizer = super().load_processor(checkpoint, labels, **options)
        if not tokenizer.is_fast:
            raise ModelError(
                f"{checkpoint}: its tokenizer gives no character offsets, from which answers are "
                "cut; use a checkpoint with a tokenizer.json"
            )
        return tokenizer

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Set two outputs for each token, whatever head the checkpoint has."""
        super().configure(config, processor, labels)
        config.num_labels = len(LOGITS)

    def text_columns(self, dataset: "Dataset") -> list[str]:
        """Return question and context."""
        return ["question", "context"]

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield rows without two strings, or with an answer that is not at its place."""
        yield from super().corrupt_rows(dataset)
        pairs = zip(dataset["context"][:], dataset["answers"][:], strict=True)
        for row, (context, answers) in enumerate(pairs):
            try:
                accepted = spans.accepted_answers(answers)
            except ValueError as error:
                yield row, str(error)
                continue
            for text, start in accepted if isinstance(context, str) else ():
                if problem := spans.misplacement(context, text, start):
                    yield row, problem

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Yield rows whose question leaves no room for windows to advance."""
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
        """Encode each example as one row for each window on its context."""
        stride = self.stride

        def encode(batch: dict[str, list[Any]]) -> dict[str, Any]:
            """Encode one batch of examples."""
            return encode_windows(batch, processor, stride)

        # windows are joined to examples again by this number
        numbered = dataset.add_column("example", list(range(len(dataset))))
        return encode_rows(self, numbered, encode, processor)

    def collator(self, processor: Any, *, training: bool = False) -> Callable[[Any], Batch]:
        """Return a collator that pads windows on the tokenizer's side."""
        return WindowCollator(Padding.of(processor))

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Return the tokens of the example's first window."""
        return super().show(rows, rows["example"][:].index(row), processor)

    # Model outputs -> predictions

    def targets(self, dataset: "Dataset", rows: Any, labels: Labels) -> Targets:
        """Return the texts of the accepted answers, a list for each example."""
        accepted = map(spans.accepted_answers, dataset["answers"][:])
        return [list(map(itemgetter(0), answers)) for answers in accepted]

    def collect(self, outputs: Any, batch: Batch) -> dict[str, Sequence[Any]]:
        """Select the (tokens,) logits of starts and of ends for each window."""
        masks = batch["attention_mask"].bool().cpu()
        collected: dict[str, Sequence[Any]] = {}
        for name in LOGITS:
            pairs = zip(outputs[name].cpu(), masks, strict=True)
            collected[name] = [logits[mask] for logits, mask in pairs]
        return collected

    def predict(
        self, outputs: ModelOutputs, rows: Any, processor: Any, labels: Labels
    ) -> Predictions:
        """Return the text of each example's answer; "" for no answer."""
        chosen = self.answer_spans(outputs, rows, labels)
        return [span.text if span else "" for span in chosen]

    def answer_spans(
        self, outputs: ModelOutputs, rows: Any, labels: Labels
    ) -> list[spans.WindowAnswer | None]:
        """Return the span of each example's context that answers it; None for no answer."""
        may_be_none = labels.problem_type == answerability.PARTLY_ANSWERABLE
        threshold = self.null_threshold if may_be_none else None
        return best_spans(outputs, rows, self.max_answer_length, threshold)

    def baseline(self, train: Targets, targets: Targets, labels: Labels) -> Predictions:
        """Predict no answer: no span is right without reading the context."""
        return [""] * len(targets)

    def usage(self, model: str) -> str:
        """Return code that reads one window as `predict` does; transformers 5 has no pipeline."""
        return USAGE.format(model=model, max_answer_length=self.max_answer_length)
