"""A model and a processor that fit each other: the size of images, their channels.

pipeline() hands a model what the saved processor makes, in RGB. So the processor takes the size of
the model, or the model that of the recipe, and a model of gray images gets three channels.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.core.hub_client import first_line
from pipelines.models.image_conversion import convert, vision
from pipelines.tasks.image import processor as processors
from pipelines.tasks.image import timm_config
from pipelines.tasks.image.processor import NUM_COLORS, Size

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.core.labels import Labels
    from pipelines.models.section import Model
    from pipelines.tasks import Task

# what models raise for a size that they cannot take
REFUSALS = (AssertionError, IndexError, RuntimeError, ValueError)


@dataclass(frozen=True)
class ImageInputs:
    """A model and the processor that suits it.

    Attributes:
        notes: what was changed, one line each.
    """

    model: "PreTrainedModel"
    processor: Any
    notes: tuple[str, ...]


def load_processor(
    task: "Task", section: "Model", labels: "Labels", config: Any, options: dict[str, Any]
) -> tuple[Any, tuple[str, ...]]:
    """Load a checkpoint's processor; returns notes if it is the architecture's own instead."""
    try:
        return task.load_processor(section.checkpoint, labels, **options), ()
    except OSError:
        if task.modality != "image":
            raise
        if processors.has_file(section.checkpoint, options["revision"]):
            raise
        processor, size = processors.default(config), _native_size(config)
        if processor is None:
            raise
    if size:
        processor = processors.resized(processor, size)
    mean, deviation = (list(getattr(processor, f"image_{name}", ())) for name in ("mean", "std"))
    return processor, (
        f"no {processors.FILES[0]} in the checkpoint: images are prepared as "
        f"{type(processor).__name__} does by default, {_shown(processors.output_sizes(processor))} "
        f"pixels, mean {mean}, deviation {deviation}; if the checkpoint was trained otherwise, "
        "write that file",
    )


def fit(
    model: "PreTrainedModel",
    processor: Any,
    section: "Model",
    draw: "Callable[[PretrainedConfig], PreTrainedModel]",
) -> ImageInputs:
    """Bring processor and model to one size and to three channels.

    Args:
        draw: builds a model of the same class with random weights.

    Raises:
        ModelError: the model takes other channels, or cannot take the size of the recipe.
    """
    channels = _num_channels(model.config, section.checkpoint)
    processor = processors.in_color(processor)
    made = processors.output_sizes(processor)
    size = _choose_size(model, section, made, channels)
    notes = []
    if size and made != {size}:
        processor = _resized(processor, model.config, size)
        reason = "model.image_size" if section.image_size else "the size that the model takes"
        notes.append(
            f"images are resized to {_shown({size})} pixels, {reason}; the checkpoint's processor "
            f"makes {_shown(made)}"
        )
    changes = {}
    if channels == 1:
        changes["num_channels"] = NUM_COLORS
        notes.append("the model takes gray images: its first layer now takes RGB, of gray the same")
    if section.image_size and size and _refusal(model, size, channels):
        changes["image_size"] = section.image_size
        notes.append(f"positions are interpolated to {_shown({size})} pixels")
    if changes:
        model = convert(model, changes, section, draw)
    if "image_size" in changes and size:
        _check_size(model, size)
    return ImageInputs(model, processor, tuple(notes))


def _check_size(model: "PreTrainedModel", size: Size) -> None:
    """Refuse a size of the recipe that a model cannot take, even with other positions.

    Raises:
        ModelError: gives the model's own reason.
    """
    if problem := _refusal(model, size, NUM_COLORS):
        raise ModelError(
            f"model.image_size: {size[0]}: {type(model).__name__} cannot take images of "
            f"{_shown({size})} pixels: {problem}"
        )


def _choose_size(
    model: "PreTrainedModel", section: "Model", made: set[Size], channels: int
) -> Size | None:
    """Return the size that the processor is to make; None where it makes what the model takes."""
    if section.image_size:
        return section.image_size, section.image_size
    native = _native_size(model.config)
    if native is None or made == {native}:
        return None
    # images of several sizes make no batch
    is_taken = len(made) == 1 and _refusal(model, next(iter(made)), channels) is None
    return None if is_taken else native


def _shown(sizes: set[Size]) -> str:
    height, width = next(iter(sizes))
    return f"{height} x {width}" if len(sizes) == 1 else "several sizes"


def _num_channels(config: Any, checkpoint: str) -> int:
    """Return 1 (gray) or 3 (RGB).

    Raises:
        ModelError: the model takes other channels.
    """
    channels = int(getattr(vision(config), "num_channels", None) or NUM_COLORS)
    if timm_config.is_wrapped(config):
        channels = int(config.pretrained_cfg["input_size"][0])
    if channels not in (1, NUM_COLORS):
        raise ModelError(
            f"{checkpoint}: takes images of {channels} channels, and images are read in "
            f"{NUM_COLORS} (RGB); choose a checkpoint for those"
        )
    return channels


def _native_size(config: Any) -> Size | None:
    """Read the (height, width) that a config gives; None for architectures that take any."""
    if timm_config.is_wrapped(config):
        _, height, width = config.pretrained_cfg["input_size"]
        return height, width
    size = getattr(vision(config), "image_size", None)
    if isinstance(size, list | tuple):
        height, width = size
        return height, width
    return (size, size) if size else None


def _resized(processor: Any, config: Any, size: Size) -> Any:
    if timm_config.is_wrapped(config):
        return timm_config.resize(config, size)
    return processors.resized(processor, size)


def _refusal(model: "PreTrainedModel", size: Size, channels: int) -> str | None:
    """Say why the model cannot take images of this size; None if it can."""
    import torch

    pixels = torch.zeros(1, channels, *size, device=model.device, dtype=model.dtype)
    try:
        with torch.no_grad():
            # of a copy: Swin's windows stay as small as those of the smallest image
            deepcopy(model).eval()(pixel_values=pixels)
    except REFUSALS as error:
        return first_line(error)
    return None
