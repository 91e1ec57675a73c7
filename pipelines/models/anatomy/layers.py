"""Which layers of a model do what: what the modules' types say."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipelines.core.upstream import is_batch_norm, is_batch_or_instance_norm, is_max_pool

if TYPE_CHECKING:
    from torch import nn


def is_norm(module: "nn.Module") -> bool:
    """Layer, batch, group or RMS normalization; families write their own RMSNorm."""
    from torch.nn import GroupNorm, LayerNorm, RMSNorm

    own = [p.ndim for p in module.parameters(recurse=False)]
    by_name = bool(own) and max(own) == 1 and "norm" in type(module).__name__.lower()
    known = isinstance(module, GroupNorm | LayerNorm | RMSNorm)
    return by_name or known or is_batch_or_instance_norm(module)


def is_pooling(module: "nn.Module") -> bool:
    """`AdaptiveAvgPool2d`, timm's `SelectAdaptivePool2d`, `BertPooler`; no max-pooling."""
    return "pool" in type(module).__name__.lower() and not is_max_pool(module)


def is_linear(module: "nn.Module") -> bool:
    """A linear layer; GPT-2's is called Conv1D."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Linear | Conv1D)


def is_dense_convolution(module: "nn.Module") -> bool:
    """A convolution over images that mixes all channels: not MobileNet's depthwise ones."""
    from torch.nn import Conv2d

    return isinstance(module, Conv2d) and module.groups == 1


def stay_in_eval(model: "nn.Module", frozen: Iterable[str]) -> list[Any]:
    """Keep the `frozen` modules, and all frozen batch normalization, in eval mode.

    The Trainer calls `model.train()` before every step, which would let the running means of frozen
    layers drift. A hook before each forward has the last word. Gives back the hooks.
    """
    statistics = [
        module
        for module in model.modules()
        if is_batch_norm(module) and not any(p.requires_grad for p in module.parameters())
    ]
    modules = [*map(model.get_submodule, frozen), *statistics]
    return [module.register_forward_pre_hook(_to_eval) for module in modules]


def _to_eval(module: "nn.Module", _: Any) -> None:
    module.eval()


def count(model: "nn.Module") -> tuple[int, int]:
    """(trainable, all) parameters of `model`."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes)
