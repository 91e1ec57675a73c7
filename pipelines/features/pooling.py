"""One vector of a sequence of hidden states."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

POOLINGS = ("mean", "mean_max", "cls", "last")


def pool(hidden: "torch.Tensor", mask: "torch.Tensor", pooling: str) -> "torch.Tensor":
    """(batch, tokens, dim) hidden states and their 0/1 mask -> (batch, dim or 2 dim)."""
    import torch

    if pooling == "mean_max":  # ULMFiT's concat pooling without its last state (1801.06146)
        largest = hidden.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)
        return torch.cat([pool(hidden, mask, "mean"), largest], dim=1)
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
    positions = torch.arange(mask.shape[1], device=mask.device) * mask
    # the last token that is not padding, on whichever side the padding stands
    index = positions.argmax(1) if pooling == "last" else mask.argmax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), index]


def mask_of(hidden: Any, batch: dict[str, Any]) -> Any:
    """1 for every token of `hidden` that counts: all of an image's; None where it has no tokens."""
    if hidden is None or hidden.dim() != 3:
        return None
    mask = batch.get("attention_mask", hidden.new_ones(hidden.shape[:2]))
    return mask if mask.shape == hidden.shape[:2] else None
