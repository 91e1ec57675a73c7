"""Random weights for timm architectures, drawn by timm's own rules."""

from typing import TYPE_CHECKING, Any

from pipelines.models.anatomy import dissect, inside
from pipelines.tasks.image.timm_config import is_wrapped

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def draw_weights(model: "PreTrainedModel") -> None:
    """Replace the random encoder of a timm model without normalization by one that timm draws.

    Other models are left as they are, and so is the head.
    """
    config: Any = model.config
    anatomy = dissect(model)
    # The wrapper draws every matrix from N(0, 0.02). That does where layers normalize their input;
    # in VGG-16, which has no normalization, the signal of an image vanishes within 13 convolutions.
    if not is_wrapped(config) or anatomy.norms:
        return
    import timm

    arguments = {"num_classes": config.num_labels, **(config.model_args or {})}
    drawn = timm.create_model(config.architecture, **arguments)
    encoder = drawn.state_dict(prefix=f"{anatomy.encoder}.")
    head = {name: t for name, t in model.state_dict().items() if inside(name, anatomy.head)}
    model.load_state_dict({**encoder, **head})
