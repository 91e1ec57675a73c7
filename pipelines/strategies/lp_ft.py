"""A linear probe, whose weights become the head; then everything trains."""

from typing import TYPE_CHECKING

from pipelines.strategies import Strategy
from pipelines.strategies._solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.tasks import Task
    from pipelines.trainer import Fitted, Job


class LpFt(Strategy):
    """LP-FT (arXiv 2202.10054): a head that knows what it wants does not distort the features of
    examples that train lacks. The probe costs one forward pass, which is kept on disk."""

    @property
    def needs_all_rows(self) -> str | None:
        return "its head is solved on the features of all examples"

    def refuses(self, task: "Task") -> str | None:
        """A head can be solved for where the loss is a sum over single answers."""
        if task.answers_per:
            return None
        return f"{task.name} has no linear head to solve for; use full, or gradual_unfreezing"

    def solves_head(self, task: "Task") -> bool:
        return True

    def fit(self, job: "Job") -> "Fitted":
        """Probe, then train."""
        from pipelines import trainer

        start_from_solved_head(job)
        return trainer.fit(self, job)
