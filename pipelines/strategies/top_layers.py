"""The last blocks, or chosen ones, and the head train; what is frozen below runs once."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.models.anatomy.depths import frozen_modules, train_only
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.training.job import Fitted, Job


class TopLayers(Strategy):
    """The last `layers` blocks and the head train (arXiv 1911.03090: a quarter of them reaches nine
    tenths of the quality); a list of blocks, from 0, is surgical fine-tuning (arXiv 2210.11466).

    What else there is never changes: no gradients, no dropout, no drifting statistics. With
    `cache_activations: auto` what the blocks below give is kept on disk when that saves time and
    fits.
    """

    layers: (
        Annotated[int, Field(ge=1)]
        | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    ) = Field(2, description="how many blocks train, counted from the head; or a list of them")
    cache_activations: Literal["auto"] | bool = Field(
        "auto", description="keep what the frozen blocks give, and run them once"
    )

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """All of the encoder that does not train."""
        return frozen_modules(model, anatomy, self._depths(model, anatomy))

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything else; where that is nothing, it is a mistake."""
        train_only(model, anatomy, self._depths(model, anatomy))
        return model

    def fit(self, job: "Job") -> "Fitted":
        """Train the rest on what comes out of the blocks below."""
        from pipelines.models.anatomy import dissect
        from pipelines.training.speed import frozen_blocks as boundary

        model = job.checkpoint.model
        anatomy = dissect(model, job.checkpoint.newly_initialized)
        self.apply(model, anatomy)
        lowest = self._depths(model, anatomy)[0]
        if lowest == 1:  # nothing but embeddings lies below
            return super().fit(job)
        block = anatomy.blocks[lowest - 1]
        with boundary.cached(job, anatomy, block, self.cache_activations) as shorter:
            return super().fit(shorter)

    def _depths(self, model: Any, anatomy: "Anatomy") -> list[int]:
        """What trains, in order; the deepest is the head, the first block is at 1."""
        num_blocks = len(anatomy.blocks)
        has = f"top_layers: {type(model).__name__} has {num_blocks} blocks; strategy.layers"
        if isinstance(self.layers, int):
            if self.layers >= num_blocks:
                raise ModelError(
                    f"{has} {self.layers} leaves none to freeze: use full, or a smaller number"
                )
            return list(range(num_blocks + 1 - self.layers, num_blocks + 2))
        unknown = sorted({*self.layers} - {*range(num_blocks)})
        if unknown:
            told = ", ".join(map(str, unknown))
            raise ModelError(f"{has} names {told}; expected numbers from 0 to {num_blocks - 1}")
        return [*(block + 1 for block in sorted({*self.layers})), num_blocks + 1]
