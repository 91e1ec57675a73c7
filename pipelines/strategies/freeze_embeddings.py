"""Everything trains but the embeddings, which are half of the weights of a small model."""

from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.models.anatomy.depths import frozen_modules, train_only
from pipelines.strategies._new_head import NewHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class FreezeEmbeddings(NewHead):
    """What comes before the first block never changes (arXiv 1911.03090).

    Words that train lacks keep their relation to those it has. In a convolutional network it is the
    stem. An output layer that shares its weights with the embeddings, as in language models, is
    frozen with them.
    """

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """Name the embeddings, with their dropout and normalization."""
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
