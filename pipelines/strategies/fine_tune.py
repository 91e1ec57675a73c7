"""fastai's recipe: the head first, then everything with rates that fall towards the input."""

from math import isnan
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.strategies._head_first import HeadFirst
from pipelines.training.stages import COURSES, Schedule, Stage

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


class FineTune(HeadFirst):
    """`Learner.fine_tune` (arXiv 2002.04688): one cycle for the head, then one for everything.

    The second has half the rate, in slices: the embeddings learn `lr_mult` times slower than the
    head, the blocks at rates between.
    """

    freeze_epochs: float = Field(1, gt=0, description="for the head alone, where it is trained")
    lr_mult: float = Field(100, ge=1, description="between the rates of head and embeddings")
    schedule: Schedule = Field("one_cycle", description="of the learning rate in each stage")

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return a higher rate: it is the head's, of which blocks in the middle get a tenth."""
        usual = super().training_defaults(modality, anatomy)
        higher = 2 if anatomy.is_convolutional else 10
        return {
            **usual,
            "learning_rate": higher * usual["learning_rate"],
            "num_train_epochs": usual["num_train_epochs"] + (self.head == "trained"),
            "ddp_find_unused_parameters": True,  # the encoder gets no gradient in the first stage
        }

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return evenly spaced powers, from 1 for the head to 1 / lr_mult for the embeddings."""
        last = len(anatomy.depths) - 1
        return self.lr_mult ** -((last - anatomy.depth(parameter)) / last)

    def stages(self, anatomy: "Anatomy", epochs: float) -> tuple[Stage, ...]:
        """Return a stage for the head if it is trained, then one for everything."""
        number, course = len(anatomy.depths), COURSES[self.schedule]
        first = self.freeze_epochs if self.head == "trained" else 0.0
        # counted in steps, only the proportions matter: a third is for the head
        rest = 2 * first if isnan(epochs) else max(epochs - first, first)
        # fastai halves the rate between the two cycles
        everything = Stage(tuple(range(number)), rest or 1.0, course, peak=0.5)
        return (Stage((number - 1,), first, course), everything) if first else (everything,)
