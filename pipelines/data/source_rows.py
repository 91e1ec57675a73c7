"""Rows of another source with a class each, whatever the classes are: for a probe of features."""

from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, listed, suggest
from pipelines.data import unlabeled
from pipelines.data.dataset import Note
from pipelines.data.usual_columns import candidates

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


def load(
    source: "Source", task: "Task", like: "Dataset", split: str | None, note: Note
) -> "tuple[Dataset, Dataset]":
    """Load a split of another source.

    Args:
        like: rows whose inputs the other source has to have, too.
        split: its name in the source; None for test, or what stands for it.

    Returns:
        The inputs by their roles, and beside them a column `label`, as the source has it.

    Raises:
        DataError: there is no such split, or a column is missing.
    """
    chosen, dataset = unlabeled.choose_split(source, split)
    explicit = dict(source.columns)
    column = explicit.pop("label", None) or _label_column(dataset, task)
    if column not in dataset.column_names:
        raise DataError(
            f"data.columns.label: no column '{column}'; {suggest(column, dataset.column_names)}"
        )
    inputs = dataset.remove_columns([column])
    selected = unlabeled.select_inputs(inputs, chosen, source, task, like, explicit, note)
    labels = dataset.select_columns([column])
    return selected, labels if column == "label" else labels.rename_column(column, "label")


def _label_column(dataset: "Dataset", task: "Task") -> str:
    """Find the column of labels by its usual names."""
    names = dataset.column_names
    usual = task.roles.get(task.target or "", ())
    matches = candidates(names, usual, may_be_list=False)
    if not matches:
        raise DataError(
            f"no obvious column of labels (looked for {', '.join(usual)}); "
            f"set data.columns.label=…; there are: {listed(names)}"
        )
    return str(matches[0])
