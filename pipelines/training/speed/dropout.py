"""Dropout on a CPU: four decisions out of each random number.

torch draws one number for each element, on one thread, which took an eighth of a step. Rates are
kept to 2^-16; what is drawn follows torch's seed, and is not what torch would have drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from pipelines.training.speed import SpeedDecision, decide

if TYPE_CHECKING:
    from pipelines.training.job import Job

NUM_LEVELS = 2**16  # an int16 is one decision


def fast_dropout(tensor: torch.Tensor, rate: float) -> torch.Tensor:
    """Zero a share of the elements of a CPU tensor and scale the others up, as `dropout` does."""
    dropped = round(rate * NUM_LEVELS)
    if dropped in (0, NUM_LEVELS):
        return functional.dropout(tensor, rate)
    num_elements = tensor.numel()
    # bits of an int64 over its whole range are four int16, each uniform over the 2^16 levels from
    # -2^15 on: `dropped` of them lie below `dropped - 2^15`
    drawn = torch.empty(-(-num_elements // 4), dtype=torch.int64).random_(-(2**63), None)
    survives = drawn.view(torch.int16)[:num_elements] >= dropped - NUM_LEVELS // 2
    scale = NUM_LEVELS / (NUM_LEVELS - dropped)
    return tensor * survives.view(tensor.shape).to(tensor.dtype).mul_(scale)


@contextmanager
def replace_dropout(job: "Job", model: Any) -> Iterator[SpeedDecision]:
    """Let the dropout of a model that trains on a CPU be `fast_dropout` inside the block."""
    # `type is`: a subclass may do something else
    modules = [module for module in model.modules() if type(module) is nn.Dropout]

    def obstacle() -> str | None:
        if job.arguments.device.type != "cpu":
            return f"it trains on {job.arguments.device.type}, not on a CPU"
        return None if any(module.p for module in modules) else "the model drops nothing"

    decision = decide(job.speed, "fast_dropout", obstacle)
    modules = modules if decision.on else []
    for module in modules:
        module.forward = partial(_forward, module)  # type: ignore[method-assign]
    try:
        yield decision
    finally:
        for module in modules:
            del module.forward  # uncovers the class's own


def _forward(module: nn.Dropout, tensor: torch.Tensor) -> torch.Tensor:
    return fast_dropout(tensor, module.p) if module.training else tensor


def eager_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    *,
    dropout: float,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute SDPA step by step, with `fast_dropout`.

    Args:
        query, key, value: (rows, heads, length, dim)
        mask: added to the scores.

    Returns:
        (rows, length, heads, dim), and None where others give attention weights.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query * scale, key.transpose(-1, -2)) + mask
    weights = fast_dropout(scores.softmax(-1), dropout)
    return torch.matmul(weights, value).transpose(1, 2), None
