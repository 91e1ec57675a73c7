"""The rows that a model cannot take: left out, or refused."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.data import target
from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Data

if TYPE_CHECKING:
    from pipelines.tasks import Task
    from pipelines.tasks.augmentations import Augmentation


def drop_unsupported_rows(
    data: Data,
    task: "Task",
    processor: Any,
    config: Any,
    *,
    skip: bool,
    augmentation: "Augmentation | None" = None,
) -> Data:
    """Remove the rows that this model cannot take.

    Args:
        config: the model's.
        skip: remove them instead of refusing them.
        augmentation: what train will be augmented with, so that its examples are decoded once.

    Raises:
        DataError: there is such a row and `skip` is off.
    """
    notes: list[str] = []
    bad_rows = RowFilter(skip, notes.append)
    remaining = {}
    for split, rows in data.splits.items():
        find = partial(
            task.unsupported_rows,
            processor=processor,
            config=config,
            augmentation=augmentation if split == "train" else None,
        )
        remaining[split] = bad_rows.apply(split, rows, find)
    left_out, domain = (*data.left_out, *bad_rows.left_out), data.target
    if domain:
        find = partial(task.unsupported_rows, processor=processor, config=config)
        num_known = len(domain.left_out)
        domain = target.filtered(domain, find, notes.append)
        left_out = (*left_out, *domain.left_out[num_known:])
    notes = [*data.notes, *notes]
    return replace(data, splits=remaining, notes=tuple(notes), left_out=left_out, target=domain)
