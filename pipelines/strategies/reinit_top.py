"""The last blocks start from random weights again, then everything trains (arXiv 2006.05987)."""

from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.strategies._new_head import NewHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class ReinitTop(NewHead):
    """The last blocks specialize in the pretraining task.

    On a few thousand examples that can be worse than random weights, and makes fine-tuning
    unstable.
    """

    layers: int = Field(1, ge=1, description="blocks to initialize again, counted from the head")

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Initialize the last blocks, and what lies between them and the head, as in a new model.

        Raises:
            ModelError: nothing pretrained would be left.
        """
        import torch

        from pipelines.models.anatomy import inside
        from pipelines.models.timm_weights import draw_weights

        num_blocks = len(anatomy.blocks)
        if self.layers >= num_blocks:
            raise ModelError(
                f"reinit_top: {type(model).__name__} has {num_blocks} blocks; strategy.layers "
                f"{self.layers} leaves nothing pretrained: use scratch, or a smaller number"
            )
        # a whole model, since only its class knows how each of its layers is drawn
        drawn = type(model)(model.config)
        draw_weights(drawn)
        new, first = drawn.state_dict(), num_blocks + 1 - self.layers
        with torch.no_grad():
            # the state, not the parameters: statistics of batch normalization start anew, too
            for name, tensor in model.state_dict().items():
                if anatomy.depth(name) >= first and not inside(name, anatomy.head):
                    tensor.copy_(new[name])
        return model
