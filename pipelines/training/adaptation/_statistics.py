"""Normalization of a trained model, and its statistics for the rows of another domain."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch

from pipelines.core.upstream import is_batch_norm
from pipelines.models.anatomy.layers import is_norm

if TYPE_CHECKING:
    from pipelines.training.target_batches import TargetBatches

BATCH_ROWS = 64
MAX_ROWS = 10_000  # of the target: the mean of a channel over more is the same


def batch_norms(model: Any) -> list[Any]:
    """List the layers that normalize by running statistics."""
    return [m for m in model.modules() if is_batch_norm(m) and m.running_mean is not None]


def weighted_norms(model: Any) -> list[Any]:
    """List the normalization layers that multiply or add weights."""
    return [m for m in model.modules() if is_norm(m) and [*m.parameters(recurse=False)]]


def kinds_of_norms(model: Any) -> str:
    """Name the normalization of a model, such as "9 LayerNorm"; "none" where there is none."""
    counts = Counter(type(module).__name__ for module in model.modules() if is_norm(module))
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"


def reestimate(model: Any, batches: "TargetBatches") -> int:
    """Replace the running statistics of batch normalization by those of rows of the target.

    Statistics are the mean over batches; all else of the model computes as it predicts.

    Returns:
        The number of rows that were read.
    """
    layers, num_rows = batch_norms(model), min(MAX_ROWS, len(batches.rows))
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a mean of all batches, in which the last counts no more than others
        layer.train()
    with torch.no_grad():
        for batch in batches.batches(num_rows, BATCH_ROWS, model.device):
            model(**batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.eval()
    return num_rows
