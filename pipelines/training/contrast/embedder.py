"""A text -> a vector of length 1: what is compared."""

from typing import TYPE_CHECKING, Any

from torch.nn.functional import normalize

from pipelines.training.pooled_encoder import PooledEncoder

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy


class Embedder(PooledEncoder):
    """The encoder of a classifier and the mean over its tokens; the classifier's head stays out."""

    def __init__(self, model: Any, anatomy: "Anatomy") -> None:
        super().__init__(model, anatomy, "mean")

    def forward(self, **inputs: "torch.Tensor") -> Any:
        """Embed a batch: `logits` (rows, dim), each row of length 1."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        return SequenceClassifierOutput(logits=normalize(self.embed(**inputs), dim=-1))
