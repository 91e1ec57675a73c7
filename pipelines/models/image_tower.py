"""The image tower of CLIP or SigLIP as a classifier: its head reads what it was trained for.

Both learn one vector of an image: CLIP the class token after `post_layernorm`, SigLIP an attention
pooling. transformers' `CLIPForImageClassification` and `SiglipForImageClassification` read neither,
but the mean over patches, to which no text can be compared. timm's vision transformer computes
these vectors exactly, and transformers wraps it: that is the plain class which comes out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.models import timm_tower
from pipelines.models.text_head import TextHead, read_classes
from pipelines.tasks.image import timm_config

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.models.section import Model

HEAD = ("timm_model.head.weight", "timm_model.head.bias")


@dataclass(frozen=True, eq=False)
class ImageTower:
    """A classifier made of an image tower, its processor, and class names as texts.

    Attributes:
        new: names of the parameters that are random.
        text_head: None where the text tower cannot read the classes.
    """

    model: Any
    processor: Any
    new: tuple[str, ...]
    text_head: TextHead | None
    notes: tuple[str, ...]


def load(
    auto: Any,
    config: Any,
    processor: Any,
    section: "Model",
    labels: "Labels",
    options: dict[str, Any],
) -> ImageTower | None:
    """Load both towers, and turn the one of images into a classifier with a random head.

    Args:
        auto: the auto class of the task.
        config: of the checkpoint; it also names the labels.
        options: of `from_pretrained`.

    Returns:
        None for other checkpoints, and where timm's form cannot hold the tower.

    Raises:
        ModelError: weights of the image tower are missing, or the recipe asks for zero-shot
            classification, which this checkpoint cannot do.
    """
    architectures = config.architectures or ()
    is_classifier = any("ForImageClassification" in name for name in architectures)
    if config.model_type not in timm_tower.ARCHITECTURES or is_classifier:
        reason = f"a '{config.model_type}' checkpoint" + " of a classifier" * is_classifier
        _check_zero_shot(section, f"{reason} has no text tower; expected one of CLIP or SigLIP")
        return None
    if obstacle := timm_tower.obstacle(config, section):
        _check_zero_shot(section, obstacle)
        return None
    pair, missing = _load_pair(config, section, options)
    model = _classifier(auto, pair, config, processor, section, labels)
    text_head, reason = read_classes(pair, missing, section, labels, options)
    if text_head is None:
        _check_zero_shot(section, reason)
    return ImageTower(
        model=model,
        processor=timm_config.processor(model.config),
        new=() if section.head == "zero_shot" else HEAD,
        text_head=text_head,
        notes=tuple(_notes(config, section, text_head, reason)),
    )


def _check_zero_shot(section: "Model", reason: str) -> None:
    """Refuse zero-shot classification if the recipe asks for it."""
    if section.head == "zero_shot":
        raise ModelError(f"model.head: 'zero_shot': {section.checkpoint}: {reason}")
    if section.templates:
        raise ModelError(f"model.templates: {section.checkpoint}: {reason}")


def _notes(config: Any, section: "Model", text_head: TextHead | None, reason: str) -> list[str]:
    notes = [
        f"the image tower of '{config.model_type}' becomes a classifier in timm's form: its head "
        "reads the vector that texts are compared with"
    ]
    if section.image_size not in (None, config.vision_config.image_size):
        side = section.image_size
        notes.append(f"positions are interpolated to {side} x {side} pixels, model.image_size")
    if text_head is None and section.templates is None:
        notes.append(f"no zero-shot classification: {reason}")
    if section.head == "zero_shot" and text_head:
        templates = ", ".join(map(repr, text_head.templates))
        notes.append(f"head: class names in {templates}, as the text tower reads them")
    return notes


def _load_pair(config: Any, section: "Model", options: dict[str, Any]) -> tuple[Any, list[str]]:
    """Load both towers; returns them and the names of the parameters that are missing."""
    import torch
    from transformers import AutoModel

    pair, report = AutoModel.from_pretrained(
        section.checkpoint,
        config=config,
        dtype=torch.float32,
        use_safetensors=section.use_safetensors or None,
        output_loading_info=True,
        **options,
    )
    missing = sorted(report["missing_keys"])
    if lacking := [name for name in missing if name.startswith("vision_model.")]:
        raise ModelError(
            f"{section.checkpoint}: lacks {len(lacking)} tensors of the image tower, such as "
            f"{lacking[0]}: these weights belong to another architecture"
        )
    return pair.eval(), missing


def _classifier(
    auto: Any, pair: Any, config: Any, processor: Any, section: "Model", labels: "Labels"
) -> Any:
    """Build the classifier with the weights of the image tower."""
    import torch

    wrapped = timm_tower.wrapped_config(config, processor, section, labels)
    model = auto.from_config(wrapped, dtype=torch.float32, trust_remote_code=False)
    weights = timm_tower.weights(pair.vision_model, config)
    weights["pos_embed"] = timm_tower.resampled(model, weights["pos_embed"])
    head = {name: model.get_parameter(name) for name in HEAD}
    model.load_state_dict({**{f"timm_model.{n}": t for n, t in weights.items()}, **head})
    return model.eval()
