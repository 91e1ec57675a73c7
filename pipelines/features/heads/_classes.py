"""SolvedHead rows of weights at the places of their classes."""

import numpy as np

from pipelines.core.labels import MULTI, SINGLE
from pipelines.features.heads import Linear, Problem

NEVER = -1e4  # the logit of a class that train lacks


def placed(weight: np.ndarray, bias: np.ndarray, classes: np.ndarray, problem: Problem) -> Linear:
    """A row for each class from the rows of those that train has; for several labels and for
    numbers these are all.

    Of a head without a bias, logits of the others are 0: so that one of these is always larger,
    their mean is taken off, which no choice between them and no softmax notices.

    Args:
        weight: (classes there, dim), or (1, dim) of the second of two classes against the first:
            halves of it give the same softmax.
        bias: as many.
        classes: the ids of these classes.
    """
    if problem.problem_type != SINGLE:
        return Linear(weight, bias if problem.bias else np.zeros(len(weight)))
    if len(classes) == 2 and len(weight) == 1:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    rows = np.zeros((problem.num_labels, weight.shape[1]), weight.dtype)
    offsets = np.full(problem.num_labels, NEVER if problem.bias else 0.0)
    rows[classes] = weight if problem.bias else weight - weight.mean(axis=0)
    offsets[classes] = bias if problem.bias else 0.0
    return Linear(rows, offsets)


def indicators(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Targets as (rows, classes) of 0 and 1, and the ids of the classes that are there.

    Several labels are such rows already: each of them is kept.
    """
    targets = problem.targets
    if problem.problem_type == MULTI:
        return targets.astype(np.float32), np.arange(targets.shape[1])
    classes = np.unique(targets)
    return (targets[:, None] == classes).astype(np.float32), classes
