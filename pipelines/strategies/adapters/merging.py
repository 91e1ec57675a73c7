"""Adapters -> the plain class, for every method and every head; and whether it would work."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError

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


def try_out(model: Any, strategy: str, *, merge: bool) -> None:
    """Run a copy of one adapted layer of each kind, with weights as if it had learned something;
    merged, it has to say the same.

    Raises:
        ModelError: the method cannot do that here; says what can be done instead.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: list[Any] = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    kinds = {(type(layer), type(layer.get_base_layer())): layer for layer in layers}
    for (_, base), layer in kinds.items():
        x = _input(layer.get_base_layer())
        if x is None:
            continue
        copy = deepcopy(layer).eval()
        with _explained(f"{strategy}: fails on a {base.__name__}", "use plain lora"):
            expected = _run(copy, x)
        if not merge:
            continue
        instead = "strategy.save=adapter keeps it beside the checkpoint"
        with _explained(f"{strategy}: cannot be merged into a {base.__name__}", instead):
            found = _run_merged(copy, x)
        if (found - expected).abs().max() > TOLERANCE * max(float(expected.abs().max()), 1.0):
            raise ModelError(
                f"{strategy}: peft merges it wrongly into a {base.__name__}: the outputs differ; "
                "name other layers in strategy.target_modules, or use lora"
            )


@contextmanager
def _explained(what: str, instead: str) -> Iterator[None]:
    """Whatever a library raises, as one clear message."""
    try:
        yield
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        told = str(error).partition("\n")[0]
        raise ModelError(f"{what} ({told}); {instead}") from error


def _run(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    """What a layer says after some learning."""
    import torch

    drawn = torch.Generator().manual_seed(0)  # of its own: training draws what it always did
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=drawn) * 0.05
                parameter.add_(noise.to(parameter))
        return layer(x)


def _run_merged(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    import torch

    with torch.no_grad():
        layer.merge()
        return layer.get_base_layer()(x)


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
    weight = base.weight
    return x.to(weight.device, weight.dtype if weight.is_floating_point() else None)
