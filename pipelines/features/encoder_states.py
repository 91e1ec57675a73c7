"""The mean of an encoder's last states: features that are the same thing whatever is trained."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.features.activation_hook import ActivationHook
from pipelines.features.pooling import mask_of, pool
from pipelines.models import forward

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def mean_states(
    model: Any, hooked: Any, anatomy: "Anatomy", rows: Any, collate: Any, **options: Any
) -> np.ndarray | None:
    """Compute the mean over tokens, patches, pixels or frames of what the encoder returns.

    Args:
        model: what runs.
        hooked: the model inside of it that `anatomy` is of; the same one without adapters.
        options: of `forward.iter_batches`.

    Returns:
        (rows, dim) float32; None where nothing inside shows it.
    """
    if anatomy.output is None:
        return None
    with ActivationHook(hooked, anatomy) as hook:

        def collect(_: Any, batch: dict[str, Any]) -> dict[str, Any]:
            states = _mean(hook, batch)
            return {} if states is None else {"states": states}

        outputs = forward.run(model, rows, collate, collect, **options)
    return np.asarray(outputs["states"]) if outputs else None


def _mean(hook: ActivationHook, batch: dict[str, Any]) -> Any:
    states = hook.hidden
    if states is None:  # timm's models return logits: what their own head reads is pooled
        states = hook.input
    if states is None:
        return None
    if states.dim() == 4:  # (rows, channels, height, width)
        return states.float().mean((2, 3))
    if states.dim() == 3:
        mask = mask_of(states, batch)
        mask = states.new_ones(states.shape[:2]) if mask is None else mask
        return pool(states.float(), mask, "mean")
    return states.float()
