"""Dropout on a CPU: four decisions out of each random number.

torch draws one for each element, on one thread, and an eighth of a step went by with that. A rate
is kept to 2^-16; what is drawn follows torch's seed, and is not what torch would have drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

LEVELS = 2**16


def drop(given: torch.Tensor, rate: float) -> torch.Tensor:
    """A tensor on a CPU with a share of its elements set to zero, and the others as much larger."""
    dropped = round(rate * LEVELS)
    if dropped in (0, LEVELS):
        return functional.dropout(given, rate)
    count = given.numel()
    drawn = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = drawn.view(torch.int16)[:count] >= dropped - LEVELS // 2
    return given * kept.view(given.shape).to(given.dtype).mul_(LEVELS / (LEVELS - dropped))


@contextmanager
def fast_dropout(model: Any, device: torch.device) -> Iterator[None]:
    """Inside, the dropout of a model that trains on a CPU is `drop`."""
    is_there = device.type == "cpu"
    modules = [m for m in model.modules() if type(m) is nn.Dropout and is_there]
    for module in modules:
        module.forward = partial(_forward, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in modules:
            del module.forward  # the class's own again


def _forward(module: nn.Dropout, given: torch.Tensor) -> torch.Tensor:
    return drop(given, module.p) if module.training else given
