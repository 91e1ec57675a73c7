"""Solvers for a head on fixed features: one file per solver.

Features are standardized for the solver; the scaler is then folded into the weights, so that
the head reads raw features and needs no code of ours. Most heads are `Linear`: the model's own
output layer can hold them. A `MLPHead` one has several layers and lives in a sentence-transformers
folder.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.core.section import Named

ROWS = 1024  # that a deep head reads at once: nearest neighbors have a column for each row of train

# what a layer's outputs go through; `normalize` gives rows of length 1
Activation = Literal["identity", "relu", "softmax", "normalize"]


@dataclass(frozen=True)
class Linear:
    """logits = features @ weight.T + bias; weight (num_labels, dim), bias (num_labels,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(rows, dim) -> (rows, num_labels)."""
        return features @ self.weight.T + self.bias

    def with_temperature(self, temperature: float) -> "Linear":
        """The same with logits that are divided by `temperature`."""
        return Linear(self.weight / temperature, self.bias / temperature)

    @property
    def layers(self) -> "tuple[Layer, ...]":
        """Itself."""
        return (Layer(self, "identity"),)


@dataclass(frozen=True)
class Layer:
    """A linear map and what its outputs go through."""

    linear: Linear
    activation: Activation

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(rows, inputs) -> (rows, outputs)."""
        from scipy.special import softmax

        outputs = self.linear(inputs)
        if self.activation == "relu":
            return np.maximum(outputs, 0)
        if self.activation == "softmax":
            return softmax(outputs, axis=1)
        if self.activation == "normalize":
            return outputs / np.linalg.norm(outputs, axis=1, keepdims=True).clip(1e-12)
        return outputs


@dataclass(frozen=True)
class MLPHead:
    """Layers that follow each other, in float32; the last one gives the logits."""

    layers: tuple[Layer, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(rows, dim) -> (rows, num_labels)."""
        starts = range(0, len(features), ROWS)
        return np.concatenate([self._part(features[start : start + ROWS]) for start in starts])

    def with_temperature(self, temperature: float) -> "MLPHead":
        """The same with logits that are divided by `temperature`."""
        last = self.layers[-1]
        return MLPHead(
            (*self.layers[:-1], Layer(last.linear.with_temperature(temperature), last.activation))
        )

    def _part(self, outputs: np.ndarray) -> np.ndarray:
        for layer in self.layers:
            outputs = layer(outputs)
        return outputs


SolvedHead = Linear | MLPHead


@dataclass(frozen=True)
class Scaler:
    """Standardization, and the way back into a head's weights."""

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

    def fold(self, head: SolvedHead) -> SolvedHead:
        """The same head for features that are not standardized."""
        if isinstance(head, MLPHead):
            first, *others = head.layers
            folded = self._fold(first.linear)
            single = Linear(folded.weight.astype(np.float32), folded.bias.astype(np.float32))
            return MLPHead((Layer(single, first.activation), *others))
        return self._fold(head)

    def _fold(self, linear: Linear) -> Linear:
        weight = linear.weight / self.scale
        return Linear(weight, linear.bias - weight @ self.mean)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a head is solved on.

    Attributes:
        features: (rows, dim), standardized.
        targets: as `Labels.encode` gives them.
        bias: whether the head may have one.
        weights: how many times each row counts.
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
    """Base of all heads."""

    problem_types: ClassVar[tuple[str, ...]]  # what it can solve
    strength: ClassVar[str]  # what the grid varies, by its name in scikit-learn
    grid: ClassVar[tuple[float, ...]]
    is_deep: ClassVar[bool] = False  # what it gives is `Deep`

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[SolvedHead]:
        """A head for each strength; each is looked for where the one before was found."""
        raise NotImplementedError
