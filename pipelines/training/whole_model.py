"""A whole model again, from weights that FSDP or DeepSpeed spread over processes."""

import copy
from typing import TYPE_CHECKING, Any

from pipelines.core import processes

if TYPE_CHECKING:
    from transformers import Trainer

    from pipelines.models.anatomy import Anatomy


def shard_by_block(trainer: "Trainer", anatomy: "Anatomy") -> None:
    """Let FSDP put each block into a group of its own, unless the configuration names classes.

    Upstream goes by `_no_split_modules`, among which BERT has its embeddings; accelerate takes the
    words' out of these for a group of their own, and torch fails: they are in one already.
    """
    plugin = trainer.accelerator.state.fsdp_plugin
    if plugin is None or plugin.transformer_cls_names_to_wrap:
        return
    model: Any = trainer.model
    blocks = {type(model.get_submodule(name)).__name__ for name in anatomy.blocks}
    plugin.transformer_cls_names_to_wrap = sorted(blocks)


def outline(model: Any) -> Any:
    """Copy a model before training spreads its weights; those of the copy take no memory."""
    import torch

    weights = {
        id(p): torch.nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad)
        for p in model.parameters()
    }
    # what a deep copy has copied already it takes from here
    return copy.deepcopy(model, weights)


def fill(model: Any, trainer: "Trainer") -> Any:
    """Give an outline the weights that were trained, on every process; returns it.

    All that comes after training (calibration, evaluation, the check of what is saved) runs the
    model without a Trainer, and each process the rows that are its own.
    """
    import torch

    # the main process alone has them then, on the CPU
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    device, whole = trainer.args.device, {}
    for name, empty in model.state_dict().items():
        tensor = torch.empty(empty.shape, dtype=empty.dtype, device=device)
        if processes.is_main():
            tensor.copy_(weights[name])
        torch.distributed.broadcast(tensor, src=0)
        whole[name] = tensor
    model.load_state_dict(whole, assign=True)
    if hasattr(model, "tie_weights"):
        model.tie_weights()
    return model
