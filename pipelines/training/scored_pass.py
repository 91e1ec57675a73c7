"""A pass over labeled rows while training: their mean loss, and their scores."""

from typing import TYPE_CHECKING, Any

from pipelines.core.labels import IGNORED
from pipelines.models import forward

if TYPE_CHECKING:
    from pipelines.tasks import Task
    from pipelines.training.job import Job, LabeledRows


def num_loss_terms(task: "Task", batch: dict[str, Any]) -> int:
    """Count the terms that the loss of a batch is the mean of: its labeled tokens, or its rows."""
    if task.loss_unit == "token":
        return int((batch["labels"] != IGNORED).sum())
    return len(next(iter(batch.values())))


def score(model: Any, data: "LabeledRows", job: "Job") -> dict[str, Any]:
    """Compute loss and scores of a model as it is; each token or row counts once."""

    def collect(outputs: Any, batch: dict[str, Any]) -> dict[str, Any]:
        loss = outputs.loss if job.loss is None else job.loss(outputs, batch["labels"])
        num_rows = len(next(iter(batch.values())))
        # each row stands for its share of the batch
        terms = loss.new_full((num_rows,), num_loss_terms(job.task, batch) / num_rows)
        return {"loss": loss * terms, "terms": terms, **job.task.collect(outputs, batch)}

    outputs = forward.run(
        model,
        data.rows,
        job.collate,
        collect,
        with_labels=job.loss is None,  # another loss is there because the model's would fail
        **job.forward_options,
    )
    total, num_terms = (float(outputs.pop(name).sum(dtype=float)) for name in ("loss", "terms"))
    return {"loss": total / max(1.0, num_terms), **job.score(outputs, data)}
