"""The types that report, card and summary are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipelines.core.jackknife import standard_error
from pipelines.report.saved_model_checks import Parity, PrintedLines

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.data.rows import Rows
    from pipelines.evaluation.calibration.result import CalibrationResult
    from pipelines.evaluation.details import SplitDetails
    from pipelines.evaluation.detection.result import Detection
    from pipelines.evaluation.forgetting import Forgetting
    from pipelines.evaluation.intervals import Interval
    from pipelines.evaluation.robustness import Robustness
    from pipelines.evaluation.simple_model import SimpleScores
    from pipelines.models.output import Library
    from pipelines.models.quantization import Bits
    from pipelines.tasks import ModelOutputs, Task
    from pipelines.training.speed import SpeedDecision

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class SourceScore:
    """The main score on the rows of one of several sources.

    Attributes:
        num_rows: how many rows of a split are of that source.
        score: on these.
    """

    num_rows: int
    score: float


@dataclass(frozen=True, eq=False)
class SplitPredictions:
    """Outputs, predictions and targets of one split, in the order of its rows.

    Attributes:
        outputs: what the task reads of the model's outputs, such as `logits` (rows, num_labels).
        predictions: what follows from the outputs, one for each example.
        targets: what predictions are compared with, one for each example.
    """

    outputs: "ModelOutputs"
    predictions: Sequence[Any]
    targets: Sequence[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """How good a trained model is, and what it took.

    Attributes:
        checkpoint: the Hub id or folder that was grafted.
        reason: why `auto` chose the strategy; empty where the recipe names it.
        compared: the strategies that it scored to choose by, on rows that they had not seen.
        pretrained: whether training started from the checkpoint's weights or from random ones.
        library: what loads the model folder.
        libraries: what loads each of the models in it, where it is `side-by-side`; else empty.
        quantization: the number of bits that the checkpoint was loaded in, under an adapter.
        prompts: whether an adapter adds tokens to the input instead of weights to layers.
        parameters, trainable: numbers of parameters.
        seconds: wall-clock time of training.
        peak_memory: the most bytes in use while training; of the GPU, else of the whole process.
        energy: joules of training; None where they are not counted, or the run was resumed.
        waited: the share of `seconds` spent waiting for data; None where nothing was trained.
        speed: what was decided about each switch of `speed`; empty without gradient steps.
        examples: split -> number of examples.
        target: scores on rows of the target domain, which chose nothing; None without labels.
        target_name: which of several sources was held out as that domain; empty for another one.
        by_source: split -> name of a source -> the main score there; empty where there is one.
        baseline: split -> scores of a predictor that ignores the input.
        simple_model: how good a bag of words is, or what is as simple; None where there is none.
        zero_shot: scores of class names as texts, without training; None where nothing reads them.
        at_half: split -> scores without the thresholds of `labels`; empty if there are none.
        lower_is_better: the keys of scores that are errors, such as mse.
        history: the Trainer's `log_history`, or a solver's trials
            (`{"pooling": "mean", "C": 0.1, "validation_accuracy": 0.8}`).
        chosen: what identifies the entry of `history` whose weights were saved, such as
            `{"step": 500}` or `{"pooling": "mean", "C": 0.1}`.
        pair: whether an example is two texts.
        calibration: how true the probabilities are; None where there are none.
        fold_scores: the main score of each fold of train that stood in for validation; else empty.
        pseudo_values: what each of these folds adds to the main score of all (`core.jackknife`).
        limits: what users have to know about inputs, a sentence or more each.
        robustness: the main score under corruptions; None where it was not measured.
        detection: whether rows of another source are told apart; None where it was not measured.
        forgetting: what is left of what the checkpoint could do; None where it was not measured.
        printed: whether the printed lines give the same; None where they were not run.
        details: split -> what stands behind its scores, such as their intervals.
        rows: split -> its examples, to be recognized in a table of predictions.
    """

    task: "Task"
    labels: "Labels"
    checkpoint: str
    strategy: str
    reason: str = ""
    compared: Sequence[str] = ()
    pretrained: bool = True
    library: "Library"
    libraries: "Sequence[Library]" = ()
    quantization: "Bits | None" = None
    prompts: bool = False
    parameters: int
    trainable: int
    seconds: float
    peak_memory: int | None = None
    energy: float | None = None
    waited: float | None = None
    speed: "Sequence[SpeedDecision]" = ()
    examples: Mapping[str, int]
    main_metric: str
    validation: Scores
    test: Scores | None
    target: Scores | None = None
    target_name: str = ""
    by_source: Mapping[str, Mapping[str, SourceScore]] = field(default_factory=dict)
    baseline: Mapping[str, Scores]
    simple_model: "SimpleScores | None" = None
    zero_shot: "SimpleScores | None" = None
    at_half: Mapping[str, Scores] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()
    parity: Parity | None
    history: Sequence[Mapping[str, Any]]
    chosen: Mapping[str, Any] = field(default_factory=dict)
    pair: bool = False
    predictions: Mapping[str, SplitPredictions] = field(default_factory=dict)
    calibration: "CalibrationResult | None" = None
    limits: Sequence[str] = ()
    fold_scores: Sequence[float] = ()
    pseudo_values: Sequence[float] = ()
    robustness: "Robustness | None" = None
    detection: "Detection | None" = None
    forgetting: "Forgetting | None" = None
    printed: PrintedLines | None = None
    details: "Mapping[str, SplitDetails]" = field(default_factory=dict)
    rows: "Mapping[str, Rows]" = field(default_factory=dict)

    @property
    def standard_error(self) -> float | None:
        """Standard error of the main score over folds; None where a split validated."""
        if len(self.pseudo_values) < 2:
            return None
        return standard_error(self.pseudo_values)

    def title(self, split: str) -> str:
        """Name a split as reports show it."""
        if split == "validation" and self.fold_scores:
            return f"validation ({len(self.fold_scores)} folds, out of fold)"
        name = f" {self.target_name}" * bool(self.target_name)
        return f"target{name} ({self.examples[split]:,} rows)" if split == "target" else split

    @property
    def splits(self) -> dict[str, Scores]:
        """The scores of each evaluated split, test last."""
        return {"validation": self.validation} | ({} if self.test is None else {"test": self.test})

    def interval(self, split: str) -> "Interval | None":
        """Return the interval of the main score; None where there is none."""
        details = self.details.get(split)
        return details.intervals.get(self.main_metric) if details else None

    def chosen_entry(self, key: str) -> Mapping[str, Any] | None:
        """Return the entry of `history` whose weights were saved, if it has a number at `key`."""
        entries = [entry for entry in self.history if is_number(entry.get(key))]
        return next(filter(self._is_chosen, entries), None)

    def _is_chosen(self, entry: Mapping[str, Any]) -> bool:
        # what is chosen after training, such as a point between weights, has entries without the
        # keys of a step: a missing key does not exclude an entry
        return bool(self.chosen) and all(
            entry.get(key, value) == value for key, value in self.chosen.items()
        )


def is_number(value: Any) -> bool:
    """Return whether a score is one finite number; a confusion matrix or NaN is not."""
    # None and matrices are no numbers, and whole numbers may be too large for one
    try:
        return isfinite(value)
    except (TypeError, OverflowError):
        return False
