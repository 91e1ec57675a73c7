"""Losses that the models do not bring along, as `Trainer(compute_loss_func=)` takes them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy for class ids (rows,) or probabilities (rows, classes).

    `weights` (classes,) make an example of a class count for more. As in torch, the mean is over
    the weights of the examples with ids, and over the examples with probabilities.
    """

    weights: "np.ndarray | None" = None

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """The loss of a batch as a scalar."""
        import torch
        from torch.nn.functional import cross_entropy

        logits = outputs["logits"] if isinstance(outputs, dict) else outputs.logits
        if self.weights is None:
            return cross_entropy(logits, labels)
        weights = torch.as_tensor(self.weights, dtype=logits.dtype, device=logits.device)
        return cross_entropy(logits, labels, weights)
