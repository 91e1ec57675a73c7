"""What a run found out: the one value that report, card and summary are made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.core.labels import MULTI, REGRESSION, Labels
from pipelines.report import adapter_usage

if TYPE_CHECKING:
    from pipelines.evaluation.calibration.calibrated import Calibrated
    from pipelines.models.output import Library
    from pipelines.models.quantization import Bits
    from pipelines.tasks import ModelOutputs, Task

Scores = Mapping[str, Any]
EXAMPLES = {"text": '"…"', "image": '"image.jpg"', "audio": '"clip.wav"'}


@dataclass(frozen=True)
class Parity:
    """Whether the saved model, loaded afresh, predicts what the trained one did."""

    max_difference: float  # between what is read of their outputs
    examples: int
    ok: bool

    def __str__(self) -> str:
        verdict, examples = "ok" if self.ok else "FAILED", f"{self.examples} examples"
        return f"{verdict}, outputs differ by at most {self.max_difference:.1e} on {examples}"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said about one split, and what is right, in the split's order.

    Attributes:
        kept: what the task reads of the model's outputs, such as `logits` (rows, num_labels).
        predictions: what follows from that, one for each example.
        targets: what predictions are compared with, one for each example.
    """

    kept: "ModelOutputs"
    predictions: Sequence[Any]
    targets: Sequence[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """How good the model is, and what it took.

    Attributes:
        checkpoint: the Hub id or folder that was grafted.
        because: why `auto` chose the strategy, where it did.
        pretrained: whether training started from the checkpoint's weights or from random ones.
        library: what loads the model folder.
        quantization: in how many bits the checkpoint was loaded, under an adapter.
        prompts: whether an adapter is tokens before the input, and no layers in the checkpoint.
        seconds: wall-clock time of training.
        waited: the share of it that went by waiting for data; None where nothing was trained.
        examples: split -> how many.
        floor: split -> scores of a predictor that never looks at its input.
        history: the Trainer's `log_history`, or a solver's trials
            (`{"pooling": "mean", "C": 0.1, "validation_accuracy": 0.8}`).
        chosen: what tells the entry of `history` whose weights were kept from the others, such as
            `{"step": 500}` or `{"pooling": "mean", "C": 0.1}`.
        pair: whether an example is two texts.
        calibration: how true the probabilities are; None where there are none.
    """

    task: "Task"
    labels: Labels
    checkpoint: str
    strategy: str
    reason: str = ""
    pretrained: bool = True
    library: "Library"
    quantization: "Bits | None" = None
    prompts: bool = False
    parameters: int
    trainable: int
    seconds: float
    waited: float | None = None
    examples: Mapping[str, int]
    main_metric: str
    validation: Scores
    test: Scores | None
    baseline: Mapping[str, Scores]
    parity: Parity | None
    history: Sequence[Mapping[str, Any]]
    chosen: Mapping[str, Any] = field(default_factory=dict)
    pair: bool = False
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    calibration: "Calibrated | None" = None

    @property
    def splits(self) -> dict[str, Scores]:
        """The splits that were scored, test last."""
        return {"validation": self.validation} | ({} if self.test is None else {"test": self.test})

    def kept(self, key: str) -> Mapping[str, Any] | None:
        """The entry of `history` whose weights were kept, if it has a number at `key`."""
        entries = (entry for entry in self.history if is_number(entry.get(key)))
        said = self.chosen
        # what was chosen after training, such as a point between weights, has entries of its own
        return next(
            (e for e in entries if said and all(e.get(k, said[k]) == said[k] for k in said)), None
        )

    def table(self) -> Iterator[list[str]]:
        """A header, then a row for each metric: validation, test where there is one, floor."""
        last = list(self.splits)[-1]
        columns = [*self.splits.values(), self.baseline.get(last, {})]
        yield ["metric", *self.splits, f"floor ({last})"]
        for metric in self.validation:
            if any(is_number(scores.get(metric)) for scores in columns):
                yield [metric, *(_shown(scores.get(metric)) for scores in columns)]

    def usage(self, model: str) -> str:
        """Python that loads the model from `model` and predicts, without Graft.

        Two statements, unless the task needs others.
        """
        example = self._example
        if self.library == "sentence-transformers":
            decide = {MULTI: " > 0", REGRESSION: ""}.get(self.labels.problem_type, ".argmax(-1)")
            return (
                "from sentence_transformers import SentenceTransformer\n"
                f'SentenceTransformer("{model}").encode([{example}]){decide}'
            )
        own = self.task.usage(model)
        if own:
            return self._adapted(own, model)
        several = ", top_k=None" if self.labels.problem_type == MULTI else ""
        return self._adapted(
            "from transformers import pipeline\n"
            f'pipeline("{self.task.pipeline}", model="{model}"{several})({example})',
            model,
        )

    def usage_of_sets(self, model: str, threshold: float) -> str:
        """Python that gives the classes of an example whose probability reaches `threshold`."""
        if self.library == "sentence-transformers":
            return (
                "from scipy.special import softmax\n"
                "from sentence_transformers import SentenceTransformer\n"
                f'logits = SentenceTransformer("{model}").encode([{self._example}])\n'
                f"(softmax(logits, axis=1)[0] >= {threshold:.6f}).nonzero()[0]"
            )
        load = f'pipeline("{self.task.pipeline}", model="{model}", top_k={self.labels.num_labels})'
        return self._adapted(
            "from transformers import pipeline\n"
            f"scores = {load}({self._example})\n"
            f'[score["label"] for score in scores if score["score"] >= {threshold:.6f}]',
            model,
        )

    def _adapted(self, plain: str, model: str) -> str:
        """`plain`, which uses a whole model, for what lies in the folder."""
        if self.library != "peft":
            return plain
        auto, modality = self.task.auto_class, self.task.modality
        return adapter_usage.of(plain, model, auto, modality, self.quantization, self.prompts)

    @property
    def _example(self) -> str:
        """An example, in Python, as what loads the model takes it."""
        if not self.pair:
            return EXAMPLES[self.task.modality]
        if self.library == "sentence-transformers":
            return '("…", "…")'
        return '{"text": "…", "text_pair": "…"}'


def is_number(value: Any) -> bool:
    """Whether a score is one finite number; a confusion matrix or NaN is not."""
    try:
        return isfinite(value)
    except TypeError:
        return False


def _shown(score: Any) -> str:
    return f"{score:.4f}" if is_number(score) else "-"
