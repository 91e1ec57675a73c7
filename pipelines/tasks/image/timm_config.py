"""What a checkpoint of timm needs for transformers to load it, train it and save it again.

VGG and Inception exist nowhere else. transformers wraps them; a wrapped checkpoint is one folder
like any other, whose image processor is described in its `config.json`.
"""

from typing import Any

from pipelines.core.errors import ModelError


def complete(config: Any) -> None:
    """Settle what timm and its wrapper say twice or not at all, in a config of theirs.

    `timm.models.save_for_hf` writes the number of classes into `model_args` as well, and the
    wrapper passes it on twice. A wrapper that was built from an architecture's name alone says
    nothing of the images: they are what timm's own weights of that name were trained on.

    Raises:
        ModelError: nobody says what images the model wants.
    """
    if not is_wrapped(config):
        return
    import timm

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
    """The image processor saved with any checkpoint; timm's stands in the model's own config."""
    from transformers import AutoConfig, AutoImageProcessor

    config = AutoConfig.from_pretrained(checkpoint, **options)
    if not is_wrapped(config):
        return AutoImageProcessor.from_pretrained(checkpoint, **options)
    from transformers import TimmWrapperImageProcessor  # imports timm

    complete(config)
    return TimmWrapperImageProcessor(config.pretrained_cfg, architecture=config.architecture)


def is_wrapped(config: Any) -> bool:
    """Tell whether a config is that of transformers' wrapper around timm."""
    return config.model_type == "timm_wrapper"
