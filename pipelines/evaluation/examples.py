"""What is known of each example: is it right, how sure is the model, how large is its loss."""

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import CHOICE, LANGUAGE, MULTI, REGRESSION, SINGLE, Labels

if TYPE_CHECKING:
    from pipelines.tasks import ModelOutputs

WITH_SCORES = (SINGLE, MULTI, CHOICE)  # problem types whose outputs are probabilities
MAX_CELLS = 4_000_000  # of a table of rows and classes, in float64
ANSWERS = "question_answering"  # and with unanswerable questions


def chunks(num_rows: int, num_classes: int) -> Iterator[slice]:
    """Yield slices of rows whose probabilities fit into memory."""
    size = max(1, MAX_CELLS // max(num_classes, 1))
    for start in range(0, num_rows, size):
        yield slice(start, start + size)


def probabilities(logits: Any, labels: Labels) -> np.ndarray:
    """Return (rows, classes) float64 probabilities; of several labels, of each by itself."""
    from scipy.special import expit, softmax

    # float32 logits of large magnitude would lose the digits of what is nearly certain
    values = np.asarray(logits, float)
    if labels.problem_type == MULTI:
        return np.asarray(expit(values))
    return np.asarray(softmax(values, axis=-1))


def confidences(outputs: "ModelOutputs", predictions: Any, labels: Labels) -> np.ndarray | None:
    """Return the (rows,) probability of what is predicted; of several labels the least sure one's.

    None where nothing has a probability.
    """
    if labels.problem_type not in WITH_SCORES:
        return None
    predicted = np.asarray(predictions).astype(int)
    parts = []
    for rows in chunks(len(predicted), labels.num_labels):
        values, chosen = probabilities(outputs["logits"][rows], labels), predicted[rows]
        if labels.problem_type == MULTI:
            parts.append(np.where(chosen, values, 1 - values).min(axis=1))
        else:
            parts.append(np.take_along_axis(values, chosen[:, None], axis=1)[:, 0])
    return np.concatenate(parts) if parts else np.zeros(0)


def losses(
    outputs: "ModelOutputs", predictions: Any, targets: Any, labels: Labels
) -> np.ndarray | None:
    """Return the (rows,) losses; None where an example has no single one.

    Cross-entropy in nats (of several labels the mean), squared error, or nats per token.
    """
    if labels.problem_type == LANGUAGE:
        return np.asarray(predictions, float)
    if labels.problem_type == REGRESSION:
        return np.asarray((np.asarray(predictions, float) - np.asarray(targets, float)) ** 2)
    if labels.problem_type not in WITH_SCORES:
        return None
    right = np.asarray(targets).astype(int)
    parts = []
    for rows in chunks(len(right), labels.num_labels):
        logits = np.asarray(outputs["logits"][rows], float)
        parts.append(_cross_entropy(logits, right[rows], labels))
    return np.concatenate(parts) if parts else np.zeros(0)


def _cross_entropy(logits: np.ndarray, right: np.ndarray, labels: Labels) -> np.ndarray:
    from scipy.special import logsumexp

    if labels.problem_type == MULTI:
        # log(1 + exp(-x)) of a label that is right, and of -x of one that is not
        return np.asarray(np.logaddexp(0, np.where(right, -logits, logits)).mean(axis=1))
    of_right = np.take_along_axis(logits, right[:, None], axis=1)[:, 0]
    return np.asarray(logsumexp(logits, axis=1) - of_right)


def are_right(predictions: Any, targets: Any, labels: Labels) -> np.ndarray | None:
    """Return (rows,) bool: whether all of an example is right; None where that is not defined."""
    kind = labels.problem_type
    if kind in (REGRESSION, LANGUAGE):
        return None
    if kind in WITH_SCORES:
        right = np.asarray(predictions).astype(int) == np.asarray(targets).astype(int)
        return np.asarray(right.reshape(len(right), -1).all(axis=1))
    compare: Callable[[Any, Any], bool] = operator.eq
    if kind.startswith(ANSWERS):
        from pipelines.evaluation.metrics import squad

        compare = squad.is_exact
    pairs = zip(predictions, targets, strict=True)
    return np.array([compare(*pair) for pair in pairs], bool)
