"""A linear probe, whose weights become the head; then everything trains."""

from typing import TYPE_CHECKING, Any

from pipelines.strategies import Strategy
from pipelines.strategies.probing.solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.tasks import Task
    from pipelines.training.job import Fitted, Job


class LpFt(Strategy):
    """LP-FT (arXiv 2202.10054): gradients of a random head would distort pretrained features.

    The probe costs one forward pass, whose features are kept on disk.
    """

    @property
    def why_no_streaming(self) -> str | None:
        """A head is solved on all features at once."""
        return "its head is solved on the features of all examples"

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse tasks without a linear head."""
        if task.prediction_unit:
            return None
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

    def fit(self, job: "Job") -> "Fitted":
        """Probe, then train."""
        start_from_solved_head(job)
        return super().fit(job)
