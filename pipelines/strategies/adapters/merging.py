"""Merge adapters into the plain class, for every method and head, and test that beforehand."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOLERANCE = 1e-3  # relative to the largest output; a larger difference is a wrong merge


def merged(model: Any) -> "PreTrainedModel":
    """Return the plain class with all updates in its weights.

    Heads are put back first: peft would look for adapters inside a head of several layers, which
    fails for most methods.
    """
    from peft.utils.other import ModulesToSaveWrapper

    plain = model.get_base_model()
    for name, module in list(plain.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            (active,) = module.active_adapters
            plain.set_submodule(name, module.modules_to_save[active])
    return model.merge_and_unload()


def try_out(model: Any, strategy: str, *, merge: bool) -> None:
    """Run a copy of one adapted layer of each kind with changed weights, merged and not.

    Raises:
        ModelError: the method fails here, or its merged outputs differ; names an alternative.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: list[Any] = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    kinds = {(type(layer), type(layer.get_base_layer())): layer for layer in layers}
    for (_, base), layer in kinds.items():
        x = _input(layer.get_base_layer())
        if x is None:
            continue
        # in eval mode, since dropout would be a difference, too
        copy = deepcopy(layer).eval()
        with _explained(f"{strategy}: fails on a {base.__name__}", "use plain lora"):
            expected = _run(copy, x)
        if not merge:
            continue
        instead = "strategy.save=adapter keeps it beside the checkpoint"
        with _explained(f"{strategy}: cannot be merged into a {base.__name__}", instead):
            merged_output = _run_merged(copy, x)
        if (merged_output - expected).abs().max() > TOLERANCE * max(
            float(expected.abs().max()), 1.0
        ):
            raise ModelError(
                f"{strategy}: peft merges it wrongly into a {base.__name__}: the outputs differ; "
                "name other layers in strategy.target_modules, or use lora"
            )


@contextmanager
def _explained(what: str, instead: str) -> Iterator[None]:
    """Turn whatever a library raises into one clear message."""
    try:
        yield
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{what} ({reason}); {instead}") from error


def _run(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    """Run a layer whose trainable weights were changed by noise, as if it had learned."""
    import torch

    generator = torch.Generator().manual_seed(0)  # the global one must not advance before training
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad:
                # most updates start at zero, which any merge would get right
                noise = torch.randn(parameter.shape, generator=generator) * 0.05
                parameter.add_(noise.to(parameter))
        return layer(x)


def _run_merged(layer: Any, x: "torch.Tensor") -> "torch.Tensor":
    import torch

    with torch.no_grad():
        layer.merge()
        return layer.get_base_layer()(x)


def _input(base: "torch.nn.Module") -> "torch.Tensor | None":
    """Make an input for a layer; None for layers that are replaced rather than merged."""
    import torch
    from transformers.pytorch_utils import Conv1D

    generator = torch.Generator().manual_seed(0)
    if isinstance(base, torch.nn.Conv2d):
        # the kernel reaches over d (k - 1) + 1: two more make several outputs of any kernel
        sides = [d * (k - 1) + 3 for d, k in zip(base.dilation, base.kernel_size, strict=True)]
        x = torch.randn(1, base.in_channels, *sides, generator=generator)
    elif isinstance(base, torch.nn.Linear):
        x = torch.randn(3, base.in_features, generator=generator)
    elif isinstance(base, Conv1D):
        x = torch.randn(3, base.nx, generator=generator)
    else:
        return None
    weight = base.weight
    # packed bits are integers; the layer multiplies them by float32
    return x.to(weight.device, weight.dtype if weight.is_floating_point() else None)
