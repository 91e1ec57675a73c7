"""Model outputs -> the scores that metrics such as roc_auc take: probabilities of classes.

They are those of the model that is scored: during training as it is at that step, in metrics.json
as it is saved, with its temperature.
"""

from typing import Any

import numpy as np

from pipelines.core.labels import MULTI, SINGLE, Labels

SCORED = (SINGLE, MULTI)  # problem types whose logits are one for each class


def probabilities(logits: Any, problem_type: str) -> np.ndarray:
    """Return (examples, classes) probabilities: softmax, or of several labels a sigmoid each."""
    from scipy.special import expit, softmax

    # float64: equal float32 probabilities near 1 would be ties
    values = np.asarray(logits, float)
    return expit(values) if problem_type == MULTI else softmax(values, axis=-1)


def certain(targets: Any, labels: Labels) -> np.ndarray:
    """Return probabilities of 1 for the right classes: (examples, classes) float64."""
    ids = np.asarray(targets)
    return ids.astype(float) if labels.problem_type == MULTI else np.eye(labels.num_labels)[ids]


def prior(train: Any, num_rows: int, labels: Labels) -> np.ndarray:
    """Return the shares of the classes in train as (num_rows, classes) probabilities.

    The baseline of scores: no constant answer has a smaller log loss.
    """
    return np.tile(certain(train, labels).mean(axis=0), (num_rows, 1))
