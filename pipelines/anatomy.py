"""Encoder, blocks and head of any checkpoint, derived from its module tree.

No table of families and no patterns over parameter names: transformers' own conventions
(`base_model`, `ModuleList` of blocks) and the modules' types say it all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model with a task head, as names of its modules.

    Attributes:
        head: what is new for this task: the modules outside the encoder, and whatever else the
            checkpoint did not bring along.
        output: the linear layer that gives the logits; `head` contains it.
        blocks: the encoder's blocks, in depth order.
        adaptable: layers inside the blocks that low-rank updates fit on.
        is_convolutional: a convnet with batch normalisation.
    """

    head: tuple[str, ...]
    output: str
    blocks: tuple[str, ...]
    adaptable: tuple[str, ...]
    is_convolutional: bool


def dissect(model: "PreTrainedModel", fresh: tuple[str, ...] = ()) -> Anatomy:
    """Derive the anatomy of `model`; `fresh` names the parameters its checkpoint did not hold.

    Raises:
        ModelError: no linear layer gives the logits.
    """
    modules = dict(model.named_modules())
    output = _output(model, modules)
    blocks = tuple(_blocks(model.base_model, _prefix(model)))
    head = [name for name, child in model.named_children() if child is not model.base_model]
    head = [name for name in head if any(True for _ in modules[name].parameters())]
    fresh_modules = dict.fromkeys(name.rpartition(".")[0] for name in fresh)
    for name in (output, *fresh_modules):
        if not _inside(name, head):
            head.append(name)
    return Anatomy(
        head=tuple(head),
        output=output,
        blocks=blocks,
        adaptable=tuple(_adaptable(modules, blocks or (_prefix(model).rstrip("."),), head)),
        is_convolutional=any(_is_batch_norm(module) for module in modules.values()),
    )


def freeze_statistics(model: "nn.Module") -> list[Any]:
    """Keep frozen batch normalisation in eval mode, whatever the Trainer does.

    The Trainer calls `model.train()` before every step, which would let the running means of
    frozen layers drift. A hook before each forward has the last word. Gives back the hooks.
    """
    frozen = [
        module
        for module in model.modules()
        if _is_batch_norm(module) and not any(p.requires_grad for p in module.parameters())
    ]
    return [module.register_forward_pre_hook(_to_eval) for module in frozen]


def _to_eval(module: "nn.Module", _: Any) -> None:
    module.eval()


def count(model: "nn.Module") -> tuple[int, int]:
    """(trainable, all) parameters of `model`."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes)


def _prefix(model: "PreTrainedModel") -> str:
    return f"{model.base_model_prefix}."


def _output(model: "PreTrainedModel", modules: dict[str, Any]) -> str:
    from torch.nn import Linear

    linear = [
        name
        for name, module in modules.items()
        if isinstance(module, Linear) and module.out_features == model.config.num_labels
    ]
    if not linear:
        raise ModelError(
            f"{type(model).__name__}: no linear layer with {model.config.num_labels} outputs "
            "gives the logits; this architecture cannot be grafted yet"
        )
    return linear[-1]


def _blocks(module: "nn.Module", prefix: str) -> Iterator[str]:
    """The members of the outermost ModuleLists, in order (wav2vec2 has two: conv, encoder)."""
    from torch.nn import ModuleList

    for name, child in module.named_children():
        if isinstance(child, ModuleList):
            yield from (f"{prefix}{name}.{i}" for i in range(len(child)))
        elif name != "parametrizations":
            yield from _blocks(child, f"{prefix}{name}.")


def _adaptable(modules: dict[str, Any], blocks: tuple[str, ...], head: list[str]) -> list[str]:
    """Linear layers (GPT-2's Conv1D too) of the blocks; without any, their dense convolutions."""
    from torch.nn import Conv2d, Linear
    from transformers.pytorch_utils import Conv1D

    inside = {n: m for n, m in modules.items() if _inside(n, blocks) and not _inside(n, head)}
    linear = [name for name, m in inside.items() if isinstance(m, Linear | Conv1D)]
    return linear or [n for n, m in inside.items() if isinstance(m, Conv2d) and m.groups == 1]


def _inside(name: str, roots: Any) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def _is_batch_norm(module: "nn.Module") -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return isinstance(module, _BatchNorm)
