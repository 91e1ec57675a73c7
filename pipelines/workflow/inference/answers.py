"""Outputs of a model -> columns that say what it predicts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pipelines.core.errors import ModelError
from pipelines.core.labels import CHOICE, MULTI, REGRESSION, SINGLE, Labels
from pipelines.evaluation.calibration import conformal

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.tasks import ModelOutputs
    from pipelines.workflow.inference.predictor import Predictor

# column -> one value for each row; typed, so that chunks of empty lists are like others
Answers: TypeAlias = "dict[str, pa.Array]"
WITH_CLASSES = (SINGLE, MULTI, CHOICE)
KNOWN = (*WITH_CLASSES, REGRESSION)


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside the prediction.

    Attributes:
        top_k: how many of the likeliest labels; 0: none.
    """

    top_k: int = 0

    def check(self, predictor: "Predictor") -> None:
        """Refuse what the task cannot give.

        Raises:
            ModelError: a task whose predictions are not known here, or the likeliest labels of one
                without labels.
        """
        labels, task = predictor.labels, predictor.task
        if labels.problem_type not in KNOWN:
            raise ModelError(f"{predictor.name}: {task.name} cannot be predicted here yet")
        if self.top_k < 0 or (self.top_k and labels.problem_type not in WITH_CLASSES):
            raise ModelError(
                f"top_k: {self.top_k}: expected a number of labels, and {predictor.name} predicts "
                f"{len(labels.names)} ({task.name}, {labels.problem_type})"
            )


def answer(
    predictor: "Predictor", encoded: Any, outputs: "ModelOutputs", wanted: Wanted
) -> Answers:
    """Turn the outputs for some rows into columns."""
    import pyarrow as pa

    labels = predictor.labels
    predictions = predictor.task.predict(outputs, encoded, predictor.processor, labels)
    if labels.problem_type == REGRESSION:
        return {"prediction": pa.array(predictions, pa.float64())}
    probabilities = _probabilities(outputs, labels)
    describe = _several if labels.problem_type == MULTI else _one
    columns = describe(predictions, probabilities, labels)
    columns |= _likeliest(probabilities, labels, wanted.top_k)
    # sets are defined for one label per example
    if predictor.set_threshold is not None and labels.problem_type == SINGLE:
        members = conformal.membership(probabilities, predictor.set_threshold)
        columns["set"] = _lists(members, labels)
    return columns


def _probabilities(outputs: "ModelOutputs", labels: Labels) -> np.ndarray:
    # in float64: float32 logits of large magnitude would lose the digits that are printed
    from scipy.special import expit, softmax

    logits = np.asarray(outputs["logits"], float)
    if labels.problem_type == MULTI:
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
