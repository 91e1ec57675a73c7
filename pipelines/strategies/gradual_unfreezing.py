"""The head first, then one group of blocks after the other from the top (arXiv 1801.06146)."""

from itertools import accumulate, pairwise
from math import isnan
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.strategies._head_first import HeadFirst
from pipelines.training.stages import COURSES, Schedule, Stage

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


class GradualUnfreezing(HeadFirst):
    """ULMFiT: one epoch for each group that joins, the remaining ones for all.

    Each stage has a learning-rate schedule of its own, each group a rate `factor` times lower than
    the group above it. The paper's factor is for four groups: over twelve blocks it would leave
    embeddings with 4e-6 of the rate, so blocks are collected in that many groups.
    """

    groups: int = Field(
        4, ge=2, description="of blocks to unfreeze one after the other, the head among them"
    )
    factor: float = Field(2.6, ge=1, description="between the rates of two groups")
    schedule: Schedule = Field(
        "slanted_triangular", description="of the learning rate in each stage"
    )

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return a rate for the head; with four groups the embeddings get a seventeenth of it."""
        usual = super().training_defaults(modality, anatomy)
        # 2.5 for the head leaves 2.5 / 2.6 ** 3 = 0.14 of the usual rate for the embeddings; one
        # epoch more than groups, since the last stage trains everything and has at least two
        return {
            **usual,
            "learning_rate": 2.5 * usual["learning_rate"],
            "num_train_epochs": self.groups + 1,
            "ddp_find_unused_parameters": True,  # groups that wait for their stage get no gradient
        }

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return factor ** -(number of groups above the parameter's)."""
        depth = anatomy.depth(parameter)
        number = next(i for i, group in enumerate(self._groups(anatomy)) if depth in group)
        return self.factor**-number

    def stages(self, anatomy: "Anatomy", epochs: float) -> tuple[Stage, ...]:
        """Return a stage for each group, from the head down."""
        groups, course = self._groups(anatomy), COURSES[self.schedule]
        trained = list(accumulate(groups))  # each stage keeps the groups of the one before
        if self.head == "solved":
            # a solved head has converged on frozen features: a stage for it alone would change
            # nothing
            trained = trained[1:]
        # counted in steps, only the proportions of the stages matter
        rest = 2.0 if isnan(epochs) else max(1.0, epochs - (len(trained) - 1))
        lengths = [1.0] * (len(trained) - 1) + [rest]
        return tuple(Stage(depths, n, course) for depths, n in zip(trained, lengths, strict=True))

    def _groups(self, anatomy: "Anatomy") -> list[tuple[int, ...]]:
        """Collect depths in groups, from the head down; never more groups than depths."""
        head = len(anatomy.depths) - 1
        number = min(self.groups - 1, head)
        edges = [round(i * head / number) for i in range(number + 1)]
        below = [tuple(range(a, b)) for a, b in pairwise(edges)]
        return [(head,), *reversed(below)]
