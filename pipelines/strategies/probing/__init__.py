"""A head solved on frozen features: from which pooling, with how strong a penalty."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipelines.tasks import Task

# of the vector of a text that is compared with another's; `mean` first, with which most encoders of
# sentences were trained
POOLINGS_APART = ("mean", "cls")
Pooling = Literal["auto", "head", "mean", "mean_max", "cls", "last"]


def pooling_problem(pooling: str, task: "Task") -> str | None:
    """Return the reason why a head of `task` has no such pooling; None where it may have."""
    if task.prediction_unit == "token" and pooling not in ("auto", "head"):
        return f"pooling '{pooling}': {task.name} reads every token, not a pooled sequence"
    return None
