"""A linear probe, whose weights become the head; then everything trains."""

from typing import TYPE_CHECKING, Any

from pipelines.strategies import Strategy
from pipelines.strategies.probing.solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.tasks import Task
    from pipelines.training.job import Fitted, Job


class LpFt(Strategy):
    """LP-FT (arXiv 2202.10054): a head that knows what it wants does not distort the features of
    examples that train lacks. The probe costs one forward pass, which is kept on disk."""

    @property
    def why_no_streaming(self) -> str | None:
        return "its head is solved on the features of all examples"

    def incompatibility(self, task: "Task") -> str | None:
        """A head can be solved for where the loss is a sum over single answers."""
        if task.prediction_unit:
            return None
        return f"{task.name} has no linear head to solve for; use full, or gradual_unfreezing"

    def solves_head(self, task: "Task") -> bool:
        return True

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Convolutional networks start from a good head at a third of the rate: at the whole of it
        MobileNet-v2 fell below its probe (benchmarks/README.md)."""
        defaults = super().training_defaults(modality, anatomy)
        share = 0.3 if anatomy.is_convolutional else 1.0
        return {**defaults, "learning_rate": share * defaults["learning_rate"]}

    def fit(self, job: "Job") -> "Fitted":
        """Probe, then train."""
        start_from_solved_head(job)
        return super().fit(job)
