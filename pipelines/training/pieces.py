"""A batch in pieces that are computed one after the other, and together make its step.

The mean of N terms is the sum over pieces of n / N times the mean of a piece; so is its gradient.
"""

from typing import TYPE_CHECKING, Any

from pipelines.tasks.encoding import LENGTHS
from pipelines.training.scored_pass import num_loss_terms
from pipelines.training.speed.length_buckets import split_by_length

if TYPE_CHECKING:
    from pipelines.tasks import Task

Batch = dict[str, Any]


def weighted(
    batch: Batch, task: "Task", num_parts: int = 1, overhead: int | None = None
) -> list[tuple[Batch, float]]:
    """Cut a batch into pieces, each with its share of the loss; those without any are left out.

    Args:
        batch: tensors (rows, …).
        num_parts: into which the rows are cut first.
        overhead: by which each part is cut into length buckets, too; None: it is not.
    """
    pieces: list[Batch] = []
    for part in split_rows(batch, num_parts):
        lengths = {LENGTHS: part.pop(LENGTHS)} if LENGTHS in part else {}
        pieces += [part] if overhead is None else split_by_length({**part, **lengths}, overhead)
    counts = [num_loss_terms(task, piece) for piece in pieces]
    if len(pieces) == 1 or not any(counts):
        return [(piece, 1 / len(pieces)) for piece in pieces]
    total = sum(counts)
    return [(piece, n / total) for piece, n in zip(pieces, counts, strict=True) if n]


def split_rows(batch: Batch, num_parts: int) -> list[Batch]:
    """Cut the rows of a batch into parts whose sizes differ by one at most; nothing is copied."""
    if num_parts == 1:  # whatever it holds
        return [{**batch}]
    parts: list[Batch] = [{} for _ in range(num_parts)]
    for name, tensor in batch.items():
        for part, rows in zip(parts, tensor.tensor_split(num_parts), strict=True):
            part[name] = rows
    return parts


def num_rows(batch: Batch) -> int:
    """Count the rows of a batch of tensors (rows, …)."""
    return len(next(iter(batch.values())))
