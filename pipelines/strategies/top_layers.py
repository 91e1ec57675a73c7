"""The last blocks and the head train; what is below them runs once, where that pays."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipelines.errors import ModelError
from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy
    from pipelines.trainer import Fitted, Job


class TopLayers(Strategy):
    """The last `layers` blocks and the head train (arXiv 1911.03090: a quarter of them reaches nine
    tenths of the quality).

    What is below never changes: no gradients, no dropout, no drifting statistics. With
    `cache_activations: auto` what it gives is kept on disk when that saves time and fits.
    """

    layers: int = Field(2, ge=1, description="blocks that train, counted from the head")
    cache_activations: Literal["auto"] | bool = Field(
        "auto", description="keep what the frozen blocks give, and run them once"
    )

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """All of the encoder that does not train, such as GPT-2's dropout before the blocks."""
        from pipelines.anatomy import inside, outermost

        above = [name for names in anatomy.depths[self._first(anatomy) :] for name in names]
        below = (
            name
            for name, _ in model.named_modules()
            if name
            and inside(name, [anatomy.encoder])
            and not inside(name, above)
            and not any(inside(other, [name]) for other in above)
        )
        return outermost(below)

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything below; where no block is left below, that is a mistake."""
        num_blocks = len(anatomy.blocks)
        if self.layers >= num_blocks:
            raise ModelError(
                f"top_layers: {type(model).__name__} has {num_blocks} blocks; strategy.layers "
                f"{self.layers} leaves none to freeze: use full, or a smaller number"
            )
        first = self._first(anatomy)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(anatomy.depth(name) >= first)
        return model

    def fit(self, job: "Job") -> "Fitted":
        """Train the top on what comes out of the rest."""
        from pipelines import trainer
        from pipelines.anatomy import dissect
        from pipelines.features import boundary

        model = job.checkpoint.model
        anatomy = dissect(model, job.checkpoint.fresh)
        self.apply(model, anatomy)
        block = anatomy.blocks[-self.layers]
        with boundary.cached(job, anatomy, block, self.cache_activations) as shorter:
            return trainer.fit(self, shorter)

    def _first(self, anatomy: "Anatomy") -> int:
        """The lowest depth that trains; the deepest is the head."""
        return len(anatomy.depths) - 1 - self.layers
