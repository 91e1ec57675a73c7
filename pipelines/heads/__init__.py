"""Solvers for a linear head on fixed features: one file per solver.

Features are standardised for the solver; the scaler is then folded into the weights, so that
the head reads raw features and needs no code of ours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipelines.section import Named


@dataclass(frozen=True)
class Linear:
    """logits = features @ weight.T + bias; weight (num_labels, dim), bias (num_labels,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(rows, dim) -> (rows, num_labels)."""
        return features @ self.weight.T + self.bias

    def divided(self, temperature: float) -> "Linear":
        """The same with logits that are divided by `temperature`."""
        return Linear(self.weight / temperature, self.bias / temperature)


@dataclass(frozen=True)
class Scaler:
    """Standardisation, and the way back into a head's weights."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, *, center: bool = True) -> "Scaler":
        """Mean and deviation of each feature; a head without a bias cannot absorb a mean.

        A saturated feature (BERT's pooler ends in tanh) varies by rounding only, which differs
        from batch to batch: it is not blown up to the deviation of the others.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        scale = features.std(axis=0, dtype=np.float64)
        varies = scale > np.maximum(1e-12, 1e-4 * np.abs(mean))
        return cls(mean if center else np.zeros_like(mean), np.where(varies, scale, 1.0))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        mean, scale = self.mean.astype(np.float32), self.scale.astype(np.float32)
        return (features - mean) / scale

    def fold(self, head: Linear) -> Linear:
        """The same head for features that are not standardised."""
        weight = head.weight / self.scale
        return Linear(weight, head.bias - weight @ self.mean)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a head is solved on.

    Attributes:
        features: (rows, dim), standardised.
        targets: as `Labels.encode` gives them.
        bias: whether the head may have one.
        weights: how many times each row counts.
    """

    features: np.ndarray
    targets: np.ndarray
    num_labels: int
    bias: bool = True
    weights: np.ndarray | None = None


class Head(Named):
    """Base of all heads."""

    problem_types: ClassVar[tuple[str, ...]]  # what it can solve
    strength: ClassVar[str]  # what the grid varies, by its name in scikit-learn
    grid: ClassVar[tuple[float, ...]]

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[Linear]:
        """A head for each strength; each is looked for where the one before was found."""
        raise NotImplementedError
