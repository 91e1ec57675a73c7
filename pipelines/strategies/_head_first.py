"""The new head first, then what lies below it: what gradual unfreezing and fine-tuning share."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipelines.strategies import Resolution, Strategy
from pipelines.strategies.probing.solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task
    from pipelines.training.job import Fitted, Job


class HeadFirst(Strategy):
    """A random head would tear at what is pretrained before it knows anything itself.

    `solved`: its weights are those of `linear_probe` on the features of the frozen encoder, one
    forward pass that is kept on disk; `trained`: by steps, with the encoder frozen.
    """

    head: Literal["auto", "solved", "trained"] = Field(
        "auto", description="auto: solved, where the task has a linear head to solve for"
    )

    @property
    def why_no_streaming(self) -> str | None:
        return (
            None if self.head == "trained" else "its head is solved first; or strategy.head=trained"
        )

    def incompatibility(self, task: "Task") -> str | None:
        """A head can be solved for where the loss is a sum over single answers."""
        if self.head == "solved" and task.prediction_unit is None:
            return f"{task.name} has no linear head to solve for; leave out strategy.head"
        return None

    def solves_head(self, task: "Task") -> bool:
        return self.head != "trained" and task.prediction_unit is not None

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace `head: auto`."""
        head = "solved" if self.solves_head(context.task) else "trained"
        return Resolution({"strategy": self.replace(head=head)})

    def fit(self, job: "Job") -> "Fitted":
        """The head, where it is solved for; then the stages."""
        if self.head == "solved":
            start_from_solved_head(job)
        return super().fit(job)
