"""Everything trains, each block at a lower rate than the one above it."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipelines.strategies import Resolution
from pipelines.strategies._new_head import NewHead

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.strategies.choosing.context import AutoContext

PUBLISHED_DECAY = {"text": 0.95, "image": 0.75, "audio": 0.75}  # over twelve blocks


class LayerwiseLrDecay(NewHead):
    """The head learns at `training.learning_rate`, each block at `decay` times that of the next.

    Published for base models are 0.95 on texts (arXiv 1905.05583) and 0.65 to 0.75 on images (BEiT,
    arXiv 2106.08254; MAE, 2111.06377). `auto` lets the first block of a model of any
    depth learn as slowly as that of a base model, since its features are as general.
    """

    decay: Literal["auto"] | Annotated[float, Field(gt=0, le=1)] = Field(
        "auto", description="from one block to the next below"
    )

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace `decay: auto` by a number."""
        resolution = super().resolve(context)
        if self.decay != "auto":
            return resolution
        # decay ** blocks = usual ** 12: the first block is as slow however many there are
        usual, blocks = PUBLISHED_DECAY[context.task.modality], len(context.anatomy.blocks)
        decay = round(usual ** (12 / max(1, blocks)), 4)
        return Resolution({"strategy": resolution.sections["strategy"].replace(decay=decay)})

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return decay ** (depths between parameter and head), times that of new layers."""
        assert self.decay != "auto"
        depths_above = len(anatomy.depths) - 1 - anatomy.depth(parameter)
        return super().lr_multiplier(parameter, anatomy) * float(self.decay) ** depths_above
