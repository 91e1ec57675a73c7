"""Losses that the models do not have, as `Trainer(compute_loss_func=)` takes them.

The Trainer averages them neither over accumulated batches nor over processes, but passes how many
labels the whole step has. Each loss is a sum divided by that number.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy for class ids (rows, …) or probabilities (rows, classes).

    The mean over all examples, or over all tokens whose label is not -100; `weights` (classes,)
    weight the examples of each class. `label_smoothing` is that of torch (arXiv 1512.00567);
    `focal` is the exponent of the focal loss (arXiv 1708.02002): an example whose class has
    probability p is weighted by (1 - p) ** focal.
    """

    weights: "np.ndarray | None" = None
    label_smoothing: float = 0.0
    focal: float = 0.0

    def target_weights(self, targets: "np.ndarray") -> "np.ndarray | None":
        """Return (rows,) weights of class ids, for solvers; None where all weigh the same."""
        return None if self.weights is None else self.weights[targets]

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """Compute the loss of a batch, or its share in the loss of a step, as a scalar."""
        import torch
        from torch.nn.functional import cross_entropy

        from pipelines.core.labels import IGNORED

        # tokens become rows: with the classes in the second dimension, torch takes five times as
        # long for a vocabulary
        logits = _logits(outputs).flatten(0, -2)
        labels = labels if labels.is_floating_point() else labels.flatten()
        weights = None
        if self.weights is not None:
            weights = torch.as_tensor(self.weights, dtype=logits.dtype, device=logits.device)
        smoothing = self.label_smoothing
        each = cross_entropy(logits, labels, weights, reduction="none", label_smoothing=smoothing)
        total = (each * self._hardness(logits, labels)).sum() if self.focal else each.sum()
        # the Trainer counts numbers: one for an id, as many as there are classes for probabilities
        num_each = labels.shape[1] if labels.is_floating_point() else 1
        return _mean(total * num_each, (labels != IGNORED).sum(), num_items_in_batch)

    def _hardness(self, logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
        """Return (rows,) focal weights: (1 - probability of the right class) ** focal."""
        from torch.nn.functional import softmax

        probabilities = softmax(logits, -1)
        if labels.is_floating_point():
            right = (probabilities * labels).sum(-1)
        else:
            # gather refuses -100; what it takes instead is multiplied by a loss of 0
            right = probabilities.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return (1 - right) ** self.focal


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """The mean logistic loss of (rows, classes) logits against 0/1 rows.

    `positive_weights` (classes,) weight the examples that have a label; the others weigh 1.
    """

    positive_weights: "np.ndarray | None" = None

    def target_weights(self, targets: "np.ndarray") -> "np.ndarray | None":
        """Return (rows, classes) weights of 0/1 rows, for solvers; None where all are 1."""
        weights = self.positive_weights
        return None if weights is None else targets * weights + (1 - targets)

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """Compute the loss of a batch, or its share in the loss of a step, as a scalar."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        logits, weights = _logits(outputs), None
        if self.positive_weights is not None:
            weights = torch.as_tensor(
                self.positive_weights, dtype=logits.dtype, device=logits.device
            )
        total = binary_cross_entropy_with_logits(
            logits, labels, reduction="sum", pos_weight=weights
        )
        return _mean(total, labels.numel(), num_items_in_batch)


def squared_error(
    outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
) -> "torch.Tensor":
    """Compute the mean squared error of (rows, 1) outputs against (rows,) numbers."""
    from torch.nn.functional import mse_loss

    total = mse_loss(_logits(outputs).squeeze(-1), labels, reduction="sum")
    return _mean(total, labels.numel(), num_items_in_batch)


def _logits(outputs: Any) -> "torch.Tensor":
    return outputs["logits"] if isinstance(outputs, dict) else outputs.logits


def _mean(total: "torch.Tensor", num_in_batch: Any, num_items_in_batch: Any) -> "torch.Tensor":
    """Divide by the number of labels of the step, or of this batch where that is not known.

    Zero where there are none, as in a batch of short texts in which no token was masked.
    """
    import torch

    num_items = num_in_batch if num_items_in_batch is None else num_items_in_batch
    return total / torch.as_tensor(num_items).clamp(min=1)
