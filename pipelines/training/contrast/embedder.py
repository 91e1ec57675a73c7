"""A text -> a vector of length 1: what is compared."""

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize

from pipelines.features.pooling import pool

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy

# of the encoder, that the Trainer calls; the first took the place of the second
METHODS = (
    "activation_checkpointing_enable",
    "gradient_checkpointing_enable",
    "get_input_embeddings",
)


class Embedder(torch.nn.Module):
    """The encoder of a classifier and the mean over its tokens; the classifier's head stays out."""

    accepts_loss_kwargs = False  # or the Trainer would pass the encoder what is meant for a loss

    def __init__(self, model: Any, anatomy: "Anatomy") -> None:
        super().__init__()
        self.encoder = model.get_submodule(anatomy.encoder)
        # what the Trainer, and the switches of `speed`, look at
        self.config, self.main_input_name = model.config, model.main_input_name
        for name in METHODS:
            if hasattr(self.encoder, name):
                setattr(self, name, getattr(self.encoder, name))

    def forward(self, attention_mask: torch.Tensor, **inputs: torch.Tensor) -> Any:
        """Embed a batch: `logits` (rows, dim), each row of length 1."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        states = self.encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        # in float32: similarities that differ by a percent are the same in bfloat16
        vectors = pool(states.float(), attention_mask, "mean")
        return SequenceClassifierOutput(logits=normalize(vectors, dim=-1))
