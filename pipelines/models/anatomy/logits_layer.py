"""Whether a model's logits come from one linear layer, up to a mean that treats them alike."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOLERANCE = 1e-4  # of the largest logit


def logits_come_from(model: "PreTrainedModel", name: str, batch: dict[str, Any]) -> bool:
    """Return whether the logits of a batch without labels double when the outputs of a layer do.

    They do where a mean over frames follows (wav2vec2). They do not where another classifier adds
    to them (DeiT with its teacher's token), and a layer whose weights serve elsewhere, too, cannot
    be changed for its outputs alone.
    """
    layer = model.get_submodule(name)
    parameters = {id(p) for p in layer.parameters()}
    everywhere = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    if sum(i in parameters for i in everywhere) > len(parameters):
        return False
    # Doubled, not zeroed: anything that is added afterwards, or squashes the logits, shows.
    logits = _logits(model, batch)
    hook = layer.register_forward_hook(lambda _, __, outputs: 2 * outputs)
    try:
        difference = (_logits(model, batch) - 2 * logits).abs().max()
    finally:
        hook.remove()
    return bool(difference <= TOLERANCE * logits.abs().max())


def _logits(model: Any, batch: dict[str, Any]) -> "torch.Tensor":
    import torch

    with torch.inference_mode():
        # in eval mode: dropout would differ between the two passes
        return model.eval()(**{name: t.to(model.device) for name, t in batch.items()}).logits
