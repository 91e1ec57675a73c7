"""Adapters -> the plain class, for every method and every head; and whether it would work."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOLERANCE = 1e-3  # of the largest output: a layer that differs by more was not merged


def merged(model: Any) -> "PreTrainedModel":
    """The plain class with all updates in its weights.

    The heads take their places first: peft would look for weights of its own inside a head of
    several layers, and most methods stumble over that.
    """
    from peft.utils.other import ModulesToSaveWrapper

    plain = model.get_base_model()
    for name, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            (active,) = module.active_adapters
            plain.set_submodule(name, module.modules_to_save[active])
    return model.merge_and_unload()


def try_out(model: Any, strategy: str) -> None:
    """Merge a copy of one adapted layer of each kind, with weights as if it had learned something.

    Raises:
        ModelError: the method cannot be merged, or merges into something else.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    kinds = {(type(layer), type(layer.get_base_layer())): layer for layer in layers}
    for (_, base), layer in kinds.items():
        try:
            same = _merges(deepcopy(layer))
        except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            told = str(error).partition("\n")[0]
            raise ModelError(
                f"{strategy}: cannot be merged into {base.__name__} ({told}); "
                "strategy.save=adapter keeps it beside the checkpoint"
            ) from error
        if not same:
            raise ModelError(
                f"{strategy}: peft merges it wrongly into {base.__name__}: the outputs differ; "
                "name other layers in strategy.target_modules, or use lora"
            )


def _merges(layer: Any) -> bool:
    """Whether a layer computes the same before and after."""
    import torch

    x = _input(layer.get_base_layer())
    if x is None:
        return True
    layer.eval()
    drawn = torch.Generator().manual_seed(0)  # of its own: training draws what it always did
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=drawn) * 0.05
                parameter.add_(noise.to(parameter))
        expected = layer(x)
        layer.merge()
        found = layer.get_base_layer()(x)
    largest = float(expected.abs().max())
    return bool((found - expected).abs().max() <= TOLERANCE * max(largest, 1.0))


def _input(base: "torch.nn.Module") -> "torch.Tensor | None":
    """Something that a layer takes; None for what is put in place rather than merged."""
    import torch
    from transformers.pytorch_utils import Conv1D

    drawn = torch.Generator().manual_seed(0)
    if isinstance(base, torch.nn.Conv2d):
        sides = [d * (k - 1) + 3 for d, k in zip(base.dilation, base.kernel_size, strict=True)]
        x = torch.randn(1, base.in_channels, *sides, generator=drawn)
    elif isinstance(base, torch.nn.Linear):
        x = torch.randn(3, base.in_features, generator=drawn)
    elif isinstance(base, Conv1D):
        x = torch.randn(3, base.nx, generator=drawn)
    else:
        return None
    return x.to(base.weight)
