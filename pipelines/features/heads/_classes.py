"""Between the classes that train has examples of and all classes of the labels."""

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import ABSENT_CLASS_LOGIT, Linear, Problem


def expand_to_all_classes(
    weight: np.ndarray, bias: np.ndarray, classes: np.ndarray, problem: Problem
) -> Linear:
    """Give every class a row of weights, those without examples in train included.

    For several labels and for numbers, the rows are complete already.

    Args:
        weight: (len(classes), dim); for two classes also (1, dim) of the second against the first.
        bias: as many.
        classes: the ids of the classes that train has.
    """
    if problem.problem_type != SINGLE:
        return Linear(weight, bias if problem.bias else np.zeros(len(weight)))
    if len(classes) == 2 and len(weight) == 1:
        # softmax(-z/2, z/2) is sigmoid(z)
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    rows = np.zeros((problem.num_labels, weight.shape[1]), weight.dtype)
    if not problem.bias:
        # Absent classes have a logit of 0 here. Without their mean, which no softmax notices, the
        # largest of the other logits is never below that.
        rows[classes] = weight - weight.mean(axis=0)
        return Linear(rows, np.zeros(problem.num_labels))
    offsets = np.full(problem.num_labels, ABSENT_CLASS_LOGIT)
    rows[classes], offsets[classes] = weight, bias
    return Linear(rows, offsets)


def indicators(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Encode targets as (rows, classes) of 0 and 1; returns them and the ids of the classes.

    Of single labels, only classes with examples have a column.
    """
    targets = problem.targets
    if problem.problem_type == MULTI:
        return targets.astype(np.float32), np.arange(targets.shape[1])
    classes = np.unique(targets)
    return (targets[:, None] == classes).astype(np.float32), classes
