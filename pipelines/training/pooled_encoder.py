"""The encoder of a classifier and a pooling over its tokens, as a module that a Trainer trains."""

from typing import TYPE_CHECKING, Any

import torch

from pipelines.features.pooling import pool

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy

# of the encoder, that the Trainer, the switches of `speed` and `dissect` call; the first took the
# place of the second
METHODS = (
    "activation_checkpointing_enable",
    "gradient_checkpointing_enable",
    "get_input_embeddings",
    "get_output_embeddings",
    "set_attn_implementation",
)


class PooledEncoder(torch.nn.Module):
    """An encoder of texts without the classifier's own head, and what makes one vector of a text.

    Attributes:
        pooling: one of `features.pooling.POOLINGS`.
    """

    accepts_loss_kwargs = False  # or the Trainer would pass the encoder what is meant for a loss

    def __init__(self, model: Any, anatomy: "Anatomy", pooling: str) -> None:
        super().__init__()
        self.encoder = model.get_submodule(anatomy.encoder)
        self.pooling = pooling
        self.config, self.main_input_name = model.config, model.main_input_name
        for name in METHODS:
            if hasattr(self.encoder, name):
                setattr(self, name, getattr(self.encoder, name))

    @property
    def base_model(self) -> Any:
        """The encoder, as of any model of transformers."""
        return self.encoder

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.encoder.device
        return device

    def embed(self, attention_mask: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
        """Make one vector of each text of a batch: (rows, dim) float32."""
        states = self.encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        # in float32: what differs by a percent is the same in bfloat16
        return pool(states.float(), attention_mask, self.pooling)
