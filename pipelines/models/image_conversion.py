"""A model of images -> the same one of other images, with its weights in other shapes."""

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.tasks.image import timm_config
from pipelines.tasks.image.processor import NUM_COLORS

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.models.section import Model


def vision(config: Any) -> Any:
    """Return the part of a config that describes images: all of it, or that of CLIP's tower."""
    return getattr(config, "vision_config", config)


def convert(
    model: "PreTrainedModel",
    changes: dict[str, Any],
    section: "Model",
    draw: "Callable[[PretrainedConfig], PreTrainedModel]",
) -> "PreTrainedModel":
    """Build the model anew with a changed config, and carry its weights over.

    Args:
        changes: fields of the config.
        draw: builds a model of the same class with random weights.

    Raises:
        ModelError: a weight belongs to one size of images, or the model is quantized or of timm.
    """
    if section.quantization or timm_config.is_wrapped(model.config):
        kind = "quantized" if section.quantization else "timm"
        raise ModelError(
            f"{section.checkpoint}: the {', '.join(changes)} of a {kind} model cannot be changed "
            f"to {', '.join(map(str, changes.values()))}; leave model.image_size out, or choose "
            "another checkpoint"
        )
    config = deepcopy(model.config)
    for name, value in changes.items():
        setattr(vision(config), name, value)
    other, weights = draw(config), model.state_dict()
    for name, drawn in other.state_dict().items():
        if weights[name].shape != drawn.shape:
            weights[name] = _carried(model, name, weights[name], drawn, section)
    other.load_state_dict(weights)
    return other.eval()


def _carried(
    model: "PreTrainedModel",
    name: str,
    weight: "torch.Tensor",
    drawn: "torch.Tensor",
    section: "Model",
) -> "torch.Tensor":
    """Bring one weight to the shape of `drawn`: gray kernels to RGB, positions interpolated."""
    import torch

    if weight.ndim > 2 and weight.shape[1] == 1 and drawn.shape[1] == NUM_COLORS:
        # the sum over three equal channels is what the single one gave
        return weight.expand(drawn.shape) / NUM_COLORS
    owner = model.get_submodule(name.rpartition(".")[0])
    if hasattr(owner, "interpolate_pos_encoding") and section.image_size:
        side = section.image_size
        with torch.no_grad():
            interpolate: Any = owner.interpolate_pos_encoding
            positions: torch.Tensor = interpolate(torch.empty(drawn.shape), side, side)
        if positions.shape == drawn.shape:
            return positions
    raise ModelError(
        f"model.image_size: {section.image_size}: {name} of {type(model).__name__} belongs to one "
        "size of images and cannot be interpolated; leave model.image_size out"
    )
