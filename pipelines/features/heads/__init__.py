"""Solvers for a head on fixed features: one file per solver.

Features are standardized for the solver; the scaler is then folded into the weights, so that
the head reads raw features and needs no code of ours. Most heads are `Linear`: the model's own
output layer can hold them. An `MLPHead` has several layers and lives in a sentence-transformers
folder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.core.section import Named
from pipelines.models.output.head_layers import Layer, Linear, MLPHead, SolvedHead

__all__ = [
    "ABSENT_CLASS_LOGIT",
    "Head",
    "Layer",
    "Linear",
    "MLPHead",
    "Problem",
    "Scaler",
    "SolvedHead",
    "without_absent",
]

# of a class without examples: no softmax notices it, and float16 holds it
ABSENT_CLASS_LOGIT = -1e4
MAX_ABSENT_LOGIT = (
    ABSENT_CLASS_LOGIT / 10
)  # of one that was trained, or halved, after it was solved
ABSENT_MARGIN = 1e-3  # below all other logits: of equal ones, the first would be predicted
MIN_VARIATION = 1e-4  # of a feature beside its mean; less is rounding


@dataclass(frozen=True)
class Scaler:
    """Standardization, and the way back into a head's weights."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, *, center: bool = True) -> "Scaler":
        """Compute mean and deviation of each of (rows, dim) features.

        With `center=False` means are left in: a head without a bias cannot absorb them.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        scale = features.std(axis=0, dtype=np.float64)
        # A saturated feature (BERT's pooler ends in tanh) varies by rounding only, which differs
        # from batch to batch: scaled up to the deviation of the others it would be noise.
        varies = scale > np.maximum(1e-12, MIN_VARIATION * np.abs(mean))
        return cls(mean if center else np.zeros_like(mean), np.where(varies, scale, 1.0))

    def times(self, factors: np.ndarray) -> "Scaler":
        """Multiply standardized features by (dim,) factors: the larger, the less penalized."""
        return Scaler(self.mean, self.scale / factors)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        # sums over many rows need the digits of float64, single features do not
        mean, scale = self.mean.astype(np.float32), self.scale.astype(np.float32)
        return (features - mean) / scale

    def fold(self, head: SolvedHead) -> SolvedHead:
        """Rewrite a head on standardized features as the same head on raw ones."""
        if isinstance(head, MLPHead):
            first, *others = head.layers
            folded = self._fold(first.linear)
            single = Linear(folded.weight.astype(np.float32), folded.bias.astype(np.float32))
            return MLPHead((Layer(single, first.activation), *others))
        return self._fold(head)

    def _fold(self, linear: Linear) -> Linear:
        # W (x - mean) / scale + b = (W / scale) x + (b - (W / scale) mean)
        weight = linear.weight / self.scale
        return Linear(weight, linear.bias - weight @ self.mean)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a head is solved on.

    Attributes:
        features: (rows, dim), standardized.
        targets: as `Labels.encode` gives them: (rows,) ids or numbers, or (rows, labels) of
            0 and 1.
        bias: whether the head may have one.
        weights: (rows,), how many times each row counts, or (rows, labels) for heads that weigh
            labels; None where all count once.
    """

    features: np.ndarray
    targets: np.ndarray
    num_labels: int
    bias: bool = True
    weights: np.ndarray | None = None

    @property
    def problem_type(self) -> str:
        """What the targets are: ids, rows of 0 and 1, or numbers."""
        if self.targets.ndim == 2:
            return MULTI
        return REGRESSION if np.issubdtype(self.targets.dtype, np.floating) else SINGLE


class Head(Named):
    """Base of all heads: a solver, whose strength is chosen on validation.

    Attributes:
        problem_types: what it can solve: `SINGLE`, `MULTI`, `REGRESSION`.
        hyperparameter: what the grid varies, by its name in scikit-learn.
        grid: the values that validation chooses from.
        is_deep: whether it gives an `MLPHead`, which no plain class can hold.
        weighs_labels: whether each of several labels of a row may have a weight of its own.
    """

    problem_types: ClassVar[tuple[str, ...]]
    hyperparameter: ClassVar[str]
    grid: ClassVar[tuple[float, ...]]
    is_deep: ClassVar[bool] = False
    weighs_labels: ClassVar[bool] = False

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[SolvedHead]:
        """Solve `problem` once for each of the hyperparameter's `values`, in their order.

        They come together so that a solver can share work: one decomposition for all, or a start
        from the solution of the value before.
        """
        raise NotImplementedError


def without_absent(logits: np.ndarray) -> np.ndarray:
    """Raise the (..., num_labels) logits of classes that other folds do not have below the others.

    On all of train they have examples: a temperature must not be fitted on what stands for none.
    """
    is_absent = logits <= MAX_ABSENT_LOGIT
    lowest = np.where(is_absent, np.inf, logits).min(axis=-1, keepdims=True)
    return np.where(is_absent, lowest - ABSENT_MARGIN, logits)
