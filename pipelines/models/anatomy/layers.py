"""What the layers of a model are, by their types."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipelines.core.upstream import is_batch_norm, is_batch_or_instance_norm, is_max_pool

if TYPE_CHECKING:
    from torch import nn


def is_norm(module: "nn.Module") -> bool:
    """Return whether `module` is a layer, batch, group, instance or RMS normalization."""
    from torch.nn import GroupNorm, LayerNorm, RMSNorm

    if isinstance(module, GroupNorm | LayerNorm | RMSNorm) or is_batch_or_instance_norm(module):
        return True
    # families write a RMSNorm class of their own: only its name and its vectors show what it is
    sizes = [p.ndim for p in module.parameters(recurse=False)]
    return bool(sizes) and max(sizes) == 1 and "norm" in type(module).__name__.lower()


def is_pooling(module: "nn.Module") -> bool:
    """Return whether `module` makes one vector: `AdaptiveAvgPool2d`, timm's `SelectAdaptivePool2d`,
    `BertPooler`; not max-pooling, which only shrinks."""
    # by name, since the libraries' poolings have no class in common
    return "pool" in type(module).__name__.lower() and not is_max_pool(module)


def is_linear(module: "nn.Module") -> bool:
    """Return whether `module` is a linear layer; GPT-2's class is called Conv1D."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Linear | Conv1D)


def is_dense_convolution(module: "nn.Module") -> bool:
    """Return whether `module` is a convolution over images that mixes all channels.

    MobileNet's depthwise ones do not.
    """
    from torch.nn import Conv2d

    # low-rank updates mix channels, which a depthwise convolution does not have
    return isinstance(module, Conv2d) and module.groups == 1


def stay_in_eval(model: "nn.Module", frozen: Iterable[str]) -> list[Any]:
    """Keep the `frozen` modules, and all frozen batch normalization, in eval mode.

    The Trainer calls `model.train()` before every step, which would let the running means of frozen
    layers drift. A hook before each forward undoes that.

    Returns:
        The hooks; `hook.remove()` ends it.
    """
    modules = [model.get_submodule(name) for name in frozen]
    for module in model.modules():
        if is_batch_norm(module) and not _trains(module):
            modules.append(module)
    return [module.register_forward_pre_hook(_to_eval) for module in modules]


def trainable_batch_norms(model: "nn.Module") -> list[str]:
    """Name the batch normalization layers that train."""
    layers = ((name, m) for name, m in model.named_modules() if is_batch_norm(m))
    return [name for name, layer in layers if _trains(layer)]


def _trains(module: "nn.Module") -> bool:
    """Tell whether any parameter of a module trains."""
    return any(p.requires_grad for p in module.parameters())


def _to_eval(module: "nn.Module", _: Any) -> None:
    module.eval()


def count(model: "nn.Module") -> tuple[int, int]:
    """Count the parameters of `model`: (trainable, all)."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes)
