"""Configs of timm checkpoints, completed so that transformers can load, train and save them.

VGG and Inception exist nowhere else. transformers wraps them; a wrapped checkpoint is one folder
like any other, whose image processor is described in its `config.json`.
"""

from typing import Any

from pipelines.core.errors import ModelError


def complete(config: Any) -> None:
    """Complete the config of a timm model in place; other configs stay as they are.

    The image size, mean and deviation that it lacks are those of timm's own weights for the
    architecture.

    Raises:
        ModelError: timm has no weights for the architecture.
    """
    if not is_wrapped(config):
        return
    import timm

    # `timm.models.save_for_hf` writes the number of classes here as well, and the wrapper would
    # pass it on twice
    (config.model_args or {}).pop("num_classes", None)
    if getattr(config, "pretrained_cfg", None):
        return
    known = timm.get_pretrained_cfg(config.architecture)
    if known is None:
        raise ModelError(
            f"config.json has no pretrained_cfg, and timm has none for '{config.architecture}': "
            'write "pretrained_cfg": {"input_size": [3, 224, 224], "mean": […], "std": […]} into it'
        )
    config.pretrained_cfg = timm.data.resolve_data_config(pretrained_cfg=known.to_dict())


def image_processor(checkpoint: str, **options: Any) -> Any:
    """Load the image processor of any checkpoint; timm's is described in the model's config."""
    from transformers import AutoConfig, AutoImageProcessor

    config = AutoConfig.from_pretrained(checkpoint, **options)
    if not is_wrapped(config):
        return AutoImageProcessor.from_pretrained(checkpoint, **options)
    complete(config)
    return processor(config)


def processor(config: Any) -> Any:
    """Build the image processor that a complete config of a timm model describes."""
    from transformers import TimmWrapperImageProcessor  # imports timm

    return TimmWrapperImageProcessor(config.pretrained_cfg, architecture=config.architecture)


def resize(config: Any, size: tuple[int, int]) -> Any:
    """Set the image size (height, width) of a timm model; returns its processor."""
    channels = config.pretrained_cfg["input_size"][0]
    config.pretrained_cfg = {**config.pretrained_cfg, "input_size": [channels, *size]}
    return processor(config)


def is_wrapped(config: Any) -> bool:
    """Tell whether a config is that of transformers' wrapper around timm."""
    return config.model_type == "timm_wrapper"
