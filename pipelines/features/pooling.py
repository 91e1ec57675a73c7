"""A sequence of hidden states -> one vector."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "mean_max", "cls", "last")


def pool(hidden: "torch.Tensor", mask: "torch.Tensor", pooling: str) -> "torch.Tensor":
    """Reduce each sequence of hidden states to one vector.

    `mean_max` is ULMFiT's concat pooling without its last state (arXiv 1801.06146).

    Args:
        hidden: (rows, tokens, dim).
        mask: (rows, tokens), 1 for tokens and 0 for padding.
        pooling: one of `POOLINGS`.

    Returns:
        (rows, dim); of `mean_max` (rows, 2 dim).
    """
    import torch

    if pooling == "mean_max":
        # not 0: hidden states may all be negative
        largest = hidden.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)
        return torch.cat([pool(hidden, mask, "mean"), largest], dim=1)
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    positions = torch.arange(mask.shape[1], device=mask.device) * mask
    # padding may stand on either side of a sequence
    index = positions.argmax(1) if pooling == "last" else mask.argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), index]


def mask_of(hidden: Any, batch: dict[str, Any]) -> Any:
    """Get the (rows, tokens) mask of hidden states: the batch's, or ones where it has none.

    Returns:
        None where `hidden` is no sequence, or not as long as the batch's mask.
    """
    if hidden is None or hidden.dim() != 3:
        return None
    # images have no mask, and convolutions over audio shorten the sequence that the mask is for
    mask = batch.get("attention_mask", hidden.new_ones(hidden.shape[:2]))
    return mask if mask.shape == hidden.shape[:2] else None
