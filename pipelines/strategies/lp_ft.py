"""A linear probe, whose weights become the head; then everything trains."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.core.sharding import sharding_key
from pipelines.features.extractor import HEAD
from pipelines.strategies import Strategy
from pipelines.strategies.probing import Pooling, pooling_problem
from pipelines.strategies.probing.solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.tasks import Task
    from pipelines.training.job import Job


class LpFt(Strategy):
    """LP-FT (arXiv 2202.10054): gradients of a random head would distort pretrained features.

    The probe costs one forward pass, whose features are kept on disk. Training goes on through the
    pooling that validation, or folds of train, chose for it: the plain class of a sentence encoder
    reads its pooler, the worst of all. Another pooling gives a sentence-transformers folder. Logits
    of a head that separates the classes of train are made smaller, or no gradient would be left.
    """

    pooling: Pooling = Field(
        "auto",
        description="what the head reads, as of linear_probe; auto: validation or folds choose",
    )

    @property
    def why_no_streaming(self) -> str | None:
        """A head is solved on all features at once."""
        return "its head is solved on the features of all examples"

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse tasks without a linear head."""
        if task.prediction_unit:
            return pooling_problem(self.pooling, task)
        return f"{task.name} has no linear head to solve; use full, or gradual_unfreezing"

    def solves_head(self, task: "Task") -> bool:
        """Return True: the probe comes first for every task."""
        return True

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return a third of the usual rate for convolutional networks.

        At the whole rate MobileNet-v2 fell below its probe (benchmarks/README.md).
        """
        defaults = super().training_defaults(modality, anatomy)
        share = 0.3 if anatomy.is_convolutional else 1.0
        return {**defaults, "learning_rate": share * defaults["learning_rate"]}

    def start(self, job: "Job") -> "Job":
        """Solve the head on the pooling that validation, or folds of train, choose."""
        pooling = self._pooling(job)
        if pooling != self.pooling:
            say("lp_ft: pooling head: weights spread over processes stay in the plain class")
        return start_from_solved_head(job, pooling)

    def check_switches(self, job: "Job") -> None:
        """Refuse a pooling that cannot be trained, before anything is trained or written."""
        super().check_switches(job)
        self._pooling(job)

    def _pooling(self, job: "Job") -> str:
        """Return `pooling`; the plain class's own where weights are spread over processes.

        Raises:
            RecipeError: the recipe names another one.
        """
        key = sharding_key(job.arguments)
        if not key or self.pooling == HEAD:
            return self.pooling
        if self.pooling == "auto":
            return HEAD
        raise RecipeError(
            f"strategy.pooling: '{self.pooling}': training.{key} spreads the weights of a "
            "plain class, which has no such pooling; leave one of them out"
        )
