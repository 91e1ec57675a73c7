"""Outputs of a model -> columns that say what it predicts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import ModelError
from pipelines.core.labels import CHOICE, MULTI, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.evaluation.calibration import conformal
from pipelines.workflow.inference import sequences
from pipelines.workflow.inference.predicted import Answers, Predicted

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from pipelines.tasks import Task

WITH_CLASSES = (SINGLE, MULTI, CHOICE)


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside the prediction.

    Attributes:
        top_k: how many of the likeliest labels; 0: none.
        set_threshold: the least probability of a class in a prediction set; None without sets.
    """

    top_k: int = 0
    set_threshold: float | None = None

    def check(self, task: "Task", labels: Labels) -> None:
        """Refuse what the task cannot give.

        Raises:
            ModelError: the likeliest labels of a task without labels, or a task that predicts text.
        """
        if task.target is None:
            raise ModelError(
                f"{task.name} predicts the text itself, which `graft predict` does not write yet; "
                "use run.pipeline()"
            )
        if self.top_k < 0 or (self.top_k and labels.problem_type not in WITH_CLASSES):
            raise ModelError(
                f"top_k: {self.top_k}: expected a number of labels with probabilities; "
                f"{task.name} ({labels.problem_type}) has {len(labels.names)} labels"
            )


def describe(predicted: Predicted, rows: "Dataset", wanted: Wanted) -> Answers:
    """Write predictions for some rows as columns."""
    kinds: dict[str, Callable[[Predicted], Answers]] = {
        REGRESSION: _numbers,
        TOKENS: sequences.tags,
        sequences.SPEECH: sequences.transcripts,
        **dict.fromkeys(sequences.ANSWERS, sequences.spans),
    }
    if predicted.labels.problem_type == CHOICE:
        return _classes(predicted, wanted) | _choices(predicted, rows)
    if predicted.labels.problem_type in WITH_CLASSES:
        return _classes(predicted, wanted)
    return kinds[predicted.labels.problem_type](predicted)


def _numbers(predicted: Predicted) -> Answers:
    import pyarrow as pa

    return {"prediction": pa.array(predicted.predictions, pa.float64())}


def _classes(predicted: Predicted, wanted: Wanted) -> Answers:
    labels, probabilities = predicted.labels, _probabilities(predicted)
    is_multi = labels.problem_type == MULTI
    columns = (_several if is_multi else _one)(predicted.predictions, probabilities, labels)
    columns |= _likeliest(probabilities, labels, wanted.top_k)
    # sets are defined for one label per example
    if wanted.set_threshold is not None and labels.problem_type == SINGLE:
        members = conformal.membership(probabilities, wanted.set_threshold)
        columns["set"] = _lists(members, labels)
    return columns


def _choices(predicted: Predicted, rows: "Dataset") -> Answers:
    """Return the text of the choice that fits best."""
    import pyarrow as pa

    pairs = zip(rows["choices"][:], predicted.predictions, strict=True)
    return {"choice": pa.array([texts[place] for texts, place in pairs], pa.string())}


def _probabilities(predicted: Predicted) -> np.ndarray:
    # in float64: float32 logits of large magnitude would lose the digits that are printed
    from scipy.special import expit, softmax

    logits = np.asarray(predicted.outputs["logits"], float)
    if predicted.labels.problem_type == MULTI:
        return np.asarray(expit(logits))
    return np.asarray(softmax(logits, axis=-1))


def _one(predictions: np.ndarray, probabilities: np.ndarray, labels: Labels) -> Answers:
    """Describe examples that have one label each, by its name and probability."""
    chosen = np.take_along_axis(probabilities, predictions[:, None], axis=1)[:, 0]
    return _named("", predictions, chosen, labels)


def _several(predictions: np.ndarray, probabilities: np.ndarray, labels: Labels) -> Answers:
    """Describe examples that have several labels, or none, by a list of each."""
    import pyarrow as pa

    given = predictions.astype(bool)
    values = [row[is_given].tolist() for row, is_given in zip(probabilities, given, strict=True)]
    return {
        "prediction": _lists(given, labels),
        "probability": pa.array(values, pa.list_(pa.float64())),
    }


def _likeliest(probabilities: np.ndarray, labels: Labels, top_k: int) -> Answers:
    """Return columns of the likeliest labels and their probabilities, the first one first."""
    columns: Answers = {}
    # stable, so that equals have the order of the labels
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    for place, ids in enumerate(order.T, start=1):
        values = np.take_along_axis(probabilities, ids[:, None], axis=1)[:, 0]
        columns |= _named(f"_{place}", ids, values, labels)
    return columns


def _named(suffix: str, ids: np.ndarray, probabilities: np.ndarray, labels: Labels) -> Answers:
    import pyarrow as pa

    names = pa.array(labels.names, pa.string()).take(pa.array(ids))
    return {
        f"prediction{suffix}": names,
        f"probability{suffix}": pa.array(probabilities, pa.float64()),
    }


def _lists(members: np.ndarray, labels: Labels) -> "pa.Array":
    """Name the classes that a (rows, classes) table of truth values has in each row."""
    import pyarrow as pa

    names = np.asarray(labels.names, dtype=object)
    return pa.array([names[row].tolist() for row in members], pa.list_(pa.string()))
