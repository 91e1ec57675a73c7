"""The loss of a batch: every text in it is compared with every other."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class CosineLoss:
    """Cosine 1 for two texts of one class, 0 for two of different ones, by squared error.

    SetFit's loss (arXiv 2209.11055), of all pairs in a batch instead of one pair for each two
    texts that are encoded. Pairs of one class count as much as the others together.

    Supervised contrastive loss (2004.11362, temperature 0.1) was worse after as many steps: on
    SST-2 from 8 examples of a class 52.6 % against 57.8 %, the mean of two draws.
    """

    # what is a mean over pairs of rows cannot be computed bucket by bucket
    compares_rows = True

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """Compute the loss of a batch, or its share in the loss of a step, as a scalar.

        Args:
            outputs: `logits` (rows, dim) of length 1.
            labels: (rows,) class ids.
        """
        similarities = outputs.logits @ outputs.logits.T
        is_same = labels[:, None] == labels[None, :]
        others = ~is_same
        # a text and itself have a cosine of 1 whatever is learned
        is_same.fill_diagonal_(False)
        attraction = (1 - similarities).square()[is_same]
        repulsion = similarities.square()[others]
        loss = (_mean(attraction) + _mean(repulsion)) / 2
        # the Trainer adds up the batches of a step, and divides by nothing
        share = 1 if num_items_in_batch is None else labels.numel() / num_items_in_batch
        return loss * share


def _mean(values: "torch.Tensor") -> "torch.Tensor":
    """Return the mean; 0 of nothing, as where a batch holds a single class."""
    return values.sum() / max(1, values.numel())
