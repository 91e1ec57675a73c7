"""A discriminator between domains, and the gradient that it gets reversed.

Imported when training starts: it needs torch at hand.
"""

import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

MAX_PRODUCT = 4096  # dimensions of an outer product; of more, random ones are drawn
NUM_PROJECTIONS = 1024  # that are drawn


def reversal(progress: float) -> float:
    """Return how much of the reversed gradient passes: 0 at the start, 1 in the end.

    2 / (1 + exp(-10 p)) - 1 of arXiv 1505.07818 at a progress p from 0 to 1: by steps alone, short
    trainings would hardly adapt.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


def reverse_gradient(tensor: torch.Tensor, strength: float) -> torch.Tensor:
    """Return `tensor` as it is, with a gradient that is multiplied by -`strength`."""
    fixed = tensor.detach()
    return fixed - strength * (tensor - fixed)


class Discriminator(nn.Module):
    """Two layers that say how likely rows are of the source: (rows, dim) -> (rows,) logits."""

    def __init__(self, dim: int, hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden_size), nn.ReLU(), nn.Linear(hidden_size, 1)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Give logits: positive for the source."""
        logits: torch.Tensor = self.layers(features).squeeze(-1)
        return logits


class ConditionalDiscriminator(Discriminator):
    """Reads the outer product of features and probabilities, or random products of both.

    These have the same mean (arXiv 1705.10667, 3.3), and fixed dimensions.
    """

    of_features: torch.Tensor
    of_classes: torch.Tensor

    def __init__(self, dim: int, num_classes: int, hidden_size: int) -> None:
        is_whole = dim * num_classes <= MAX_PRODUCT
        super().__init__(dim * num_classes if is_whole else NUM_PROJECTIONS, hidden_size)
        self.is_whole = is_whole
        if not is_whole:
            self.register_buffer("of_features", torch.randn(dim, NUM_PROJECTIONS))
            self.register_buffer("of_classes", torch.randn(num_classes, NUM_PROJECTIONS))

    def join(self, features: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
        """Return (rows, …) products of (rows, dim) features and (rows, classes) probabilities."""
        if self.is_whole:
            return (features[:, :, None] * probabilities[:, None, :]).flatten(1)
        products = (features @ self.of_features) * (probabilities @ self.of_classes)
        return products / math.sqrt(NUM_PROJECTIONS)


def domain_loss(
    source: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Compute the loss of knowing the domains of rows, both of which count half.

    Args:
        source, target: (rows,) logits of being of the source.
        weights: (rows of both,) by which rows count in their domain; None: all the same.
    """
    losses = [
        binary_cross_entropy_with_logits(source, torch.ones_like(source), reduction="none"),
        binary_cross_entropy_with_logits(target, torch.zeros_like(target), reduction="none"),
    ]
    if weights is None:
        return (losses[0].mean() + losses[1].mean()) / 2
    parts = weights.split([len(source), len(target)])
    means = [(w * loss).sum() / w.sum() for w, loss in zip(parts, losses, strict=True)]
    return (means[0] + means[1]) / 2
