"""A solved head as arrays: linear layers, and what their outputs go through.

The model's own output layer can hold a `Linear` head. An `MLPHead` has several layers and lives in
a sentence-transformers folder.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

# nearest neighbors have a column for each row of train: all rows at once would fill the memory
ROWS_PER_BATCH = 1024

# what a layer's outputs go through; `normalize` gives rows of length 1
Activation = Literal["identity", "relu", "softmax", "normalize"]


@dataclass(frozen=True)
class Linear:
    """logits = features @ weight.T + bias; weight (num_labels, dim), bias (num_labels,)."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Compute logits: (rows, dim) -> (rows, num_labels)."""
        return features @ self.weight.T + self.bias

    def with_temperature(self, temperature: float) -> "Linear":
        """Divide the logits by `temperature` (arXiv 1706.04599)."""
        return Linear(self.weight / temperature, self.bias / temperature)

    @property
    def layers(self) -> "tuple[Layer, ...]":
        """The head as a single layer."""
        return (Layer(self, "identity"),)

    @property
    def is_identity(self) -> bool:
        """Whether outputs are the features themselves."""
        rows, dim = self.weight.shape
        is_square = rows == dim and not self.bias.any()
        return is_square and np.array_equal(self.weight, np.eye(dim))


@dataclass(frozen=True)
class Layer:
    """A linear map and what its outputs go through."""

    linear: Linear
    activation: Activation

    @classmethod
    def normalize(cls, dim: int) -> "Layer":
        """Build the layer that scales vectors to length 1."""
        identity = Linear(np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32))
        return cls(identity, "normalize")

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Apply the layer: (rows, inputs) -> (rows, outputs)."""
        from scipy.special import softmax

        outputs = self.linear(inputs)
        if self.activation == "relu":
            return np.maximum(outputs, 0)
        if self.activation == "softmax":
            return softmax(outputs, axis=1)
        if self.activation == "normalize":
            # no less than torch divides by in the saved module: rows of zeros stay zeros in both
            return outputs / np.linalg.norm(outputs, axis=1, keepdims=True).clip(1e-12)
        return outputs


@dataclass(frozen=True)
class MLPHead:
    """Layers that follow each other, in float32; the last one gives the logits."""

    layers: tuple[Layer, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Compute logits: (rows, dim) -> (rows, num_labels)."""
        starts = range(0, len(features), ROWS_PER_BATCH)
        return np.concatenate(
            [self._apply(features[start : start + ROWS_PER_BATCH]) for start in starts]
        )

    def with_temperature(self, temperature: float) -> "MLPHead":
        """Divide the logits by `temperature` (arXiv 1706.04599)."""
        *others, last = self.layers
        return MLPHead((*others, Layer(last.linear.with_temperature(temperature), last.activation)))

    def _apply(self, outputs: np.ndarray) -> np.ndarray:
        for layer in self.layers:
            outputs = layer(outputs)
        return outputs


SolvedHead = Linear | MLPHead
