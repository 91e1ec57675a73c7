"""Everything trains but the embeddings, which are half of the weights of a small model."""

from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.models.anatomy.depths import frozen_modules, train_only
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class FreezeEmbeddings(Strategy):
    """What comes before the first block never changes: words that train lacks keep their relation
    to those it has (arXiv 1911.03090); of a convolutional network it is the stem.

    Where the output layer's weights are the embeddings', as in language models, it is frozen with
    them.
    """

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """The embeddings, with their dropout and normalization."""
        return frozen_modules(model, anatomy, range(1, len(anatomy.depths)))

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze depth 0."""
        train_only(model, anatomy, range(1, len(anatomy.depths)))
        if all(parameter.requires_grad for parameter in model.parameters()):
            raise ModelError(
                f"freeze_embeddings: {type(model).__name__} has no weights before its first block; "
                "use full, or top_layers"
            )
        return model
