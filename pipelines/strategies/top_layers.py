"""The last blocks, or chosen ones, and the head train; frozen blocks below run once."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.models.anatomy.depths import frozen_modules, train_only
from pipelines.strategies._new_head import NewHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job


class TopLayers(NewHead):
    """The last `layers` blocks and the head train; a list of blocks is surgical fine-tuning.

    A quarter of the blocks reaches nine tenths of the quality (arXiv 1911.03090; lists, numbered
    from 0: 2210.11466). All else never changes: no gradients, no dropout, no drifting statistics.
    The outputs of the frozen blocks below are kept on disk when that saves time and fits
    (`speed.frozen_blocks`).
    """

    caches_frozen_blocks: ClassVar[bool] = True

    layers: (
        Annotated[int, Field(ge=1)]
        | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    ) = Field(2, description="how many blocks train, counted from the head; or a list of them")

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """Name all of the encoder that does not train."""
        return frozen_modules(model, anatomy, self._depths(model, anatomy))

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything else.

        Raises:
            ModelError: nothing would be frozen, or there is no such block.
        """
        train_only(model, anatomy, self._depths(model, anatomy))
        return model

    def check_switches(self, job: "Job") -> None:
        """Try the switches that are `on`, the one for frozen blocks included."""
        from pipelines.models.anatomy import dissect
        from pipelines.training.speed import frozen_blocks

        model = job.checkpoint.model
        anatomy = dissect(model, job.checkpoint.newly_initialized)
        lowest = self._depths(model, anatomy)[0]
        if job.speed.frozen_blocks == "on" and lowest > 1:
            decision = frozen_blocks.check(job, anatomy, anatomy.blocks[lowest - 1])
            job = replace(job, frozen_blocks=decision)
        super().check_switches(job)

    def train(self, job: "Job") -> "Fitted":
        """Train on the cached outputs of the frozen blocks below, where there are some."""
        from pipelines.models.anatomy import dissect
        from pipelines.training.speed.frozen_blocks import cached_if_supported

        model = job.checkpoint.model
        anatomy = dissect(model, job.checkpoint.newly_initialized)
        # before activations are looked up: their key is a digest of the weights that do not train;
        # `setup` applies the strategy once more, which changes nothing
        self.apply(model, anatomy)
        lowest = self._depths(model, anatomy)[0]
        if lowest == 1:  # only embeddings lie below, and looking them up costs nothing
            return super().train(job)
        block = anatomy.blocks[lowest - 1]
        with cached_if_supported(job, anatomy, block) as shortened:
            return super().train(shortened)

    def _depths(self, model: Any, anatomy: "Anatomy") -> list[int]:
        """Return the depths that train, in order: the first block is at 1, the head last."""
        num_blocks = len(anatomy.blocks)
        has = f"top_layers: {type(model).__name__} has {num_blocks} blocks; strategy.layers"
        if isinstance(self.layers, int):
            if self.layers >= num_blocks:
                raise ModelError(
                    f"{has} {self.layers} trains all of them: use full, or a smaller number"
                )
            return list(range(num_blocks + 1 - self.layers, num_blocks + 2))
        unknown = sorted({*self.layers} - {*range(num_blocks)})
        if unknown:
            names = ", ".join(map(str, unknown))
            raise ModelError(f"{has} names {names}; expected numbers from 0 to {num_blocks - 1}")
        return [*(block + 1 for block in sorted({*self.layers})), num_blocks + 1]
