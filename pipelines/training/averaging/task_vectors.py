"""What fine-tuning changed of several checkpoints -> one change: task arithmetic, TIES, DARE."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Vector = dict[str, torch.Tensor]  # name of a parameter -> what fine-tuning added to it


def total(vectors: "Sequence[Vector]", density: float, seed: int) -> "Vector":
    """Add the changes up: task arithmetic (arXiv 2212.04089)."""
    changes = {name: change.clone() for name, change in vectors[0].items()}
    for vector in vectors[1:]:
        for name, change in vector.items():
            changes[name] += change
    return changes


def mean(vectors: "Sequence[Vector]", density: float, seed: int) -> "Vector":
    """Average the changes, which is to average the weights (arXiv 2203.05482)."""
    return {name: change / len(vectors) for name, change in total(vectors, 1, seed).items()}


def ties(vectors: "Sequence[Vector]", density: float, seed: int) -> "Vector":
    """Trim the changes, elect a sign for each weight, and average those of that sign.

    TIES (arXiv 2306.01708): of each checkpoint the largest changes count, a share of `density`.
    """
    import torch

    trimmed = [_largest(vector, density) for vector in vectors]
    merged = {}
    for name in vectors[0]:
        changes = torch.stack([vector[name] for vector in trimmed])
        agreeing = changes.sign() == changes.sum(0).sign()
        # where all changes were trimmed, or cancel, there is nothing to divide by
        num_agreeing = (agreeing & (changes != 0)).sum(0).clamp(min=1)
        merged[name] = (changes * agreeing).sum(0) / num_agreeing
    return merged


def dare(vectors: "Sequence[Vector]", density: float, seed: int) -> "Vector":
    """Drop changes at random, scale the rest up by as much, and add them up.

    DARE (arXiv 2311.03099): of each checkpoint a share of `density` stays, drawn by `seed`.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    return total([_drawn(vector, density, generator) for vector in vectors], 1, seed)


METHODS = {"mean": mean, "task_arithmetic": total, "ties": ties, "dare": dare}


def _largest(vector: "Vector", density: float) -> "Vector":
    """Set all but the largest entries of the whole vector to zero."""
    import torch

    sizes = torch.cat([change.abs().flatten() for change in vector.values()])
    num_trimmed = len(sizes) - max(1, round(density * len(sizes)))
    if not num_trimmed:
        return vector
    threshold = sizes.kthvalue(num_trimmed).values
    return {name: change * (change.abs() > threshold) for name, change in vector.items()}


def _drawn(vector: "Vector", density: float, generator: "torch.Generator") -> "Vector":
    import torch

    return {
        name: change * (torch.rand(change.shape, generator=generator) < density) / density
        for name, change in vector.items()
    }
