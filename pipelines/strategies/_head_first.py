"""Train the new head first: what gradual unfreezing and fastai's fine-tuning share."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipelines.strategies import Resolution, Strategy
from pipelines.strategies.probing.solved_head import start_from_solved_head

if TYPE_CHECKING:
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task
    from pipelines.training.job import Job


class HeadFirst(Strategy):
    """Base of strategies that spare pretrained weights the gradients of a random head.

    `head: solved` takes the weights of `linear_probe`, one forward pass whose features are kept on
    disk; `trained` takes gradient steps with the encoder frozen.
    """

    head: Literal["auto", "solved", "trained"] = Field(
        "auto", description="auto: solved, where the task has a linear head"
    )

    @property
    def why_no_streaming(self) -> str | None:
        """A solved head needs all features at once."""
        return (
            None if self.head == "trained" else "its head is solved first; or strategy.head=trained"
        )

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse `head: solved` for tasks without a linear head."""
        if self.head == "solved" and task.prediction_unit is None:
            return f"{task.name} has no linear head to solve; leave out strategy.head"
        return None

    def solves_head(self, task: "Task") -> bool:
        """Return whether training starts from a solved head."""
        return self.head != "trained" and task.prediction_unit is not None

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace `head: auto`."""
        head = "solved" if self.solves_head(context.task) else "trained"
        return Resolution({"strategy": self.replace(head=head)})

    def start(self, job: "Job") -> "Job":
        """Solve the head if the recipe says so."""
        return start_from_solved_head(job) if self.head == "solved" else job
