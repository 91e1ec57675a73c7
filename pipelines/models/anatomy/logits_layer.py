"""Whether the output layer's answers are the logits, up to what treats them alike."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def logits_come_from(model: "PreTrainedModel", name: str, batch: dict[str, Any]) -> bool:
    """Whether the logits of a batch without labels double when those of the layer `name` do.

    So they do where a mean over frames follows (wav2vec2), and not where another classifier has a
    say (DeiT with its teacher's token) or the layer's weights serve elsewhere, too.
    """
    layer = model.get_submodule(name)
    own = {id(p) for p in layer.parameters()}
    uses = [p for _, p in model.named_parameters(remove_duplicate=False) if id(p) in own]
    if len(uses) > len(own):
        return False
    said = _logits(model, batch)
    hook = layer.register_forward_hook(lambda _, __, answers: 2 * answers)
    try:
        return bool((_logits(model, batch) - 2 * said).abs().max() <= 1e-4 * said.abs().max())
    finally:
        hook.remove()


def _logits(model: Any, batch: dict[str, Any]) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(**{name: t.to(model.device) for name, t in batch.items()}).logits
