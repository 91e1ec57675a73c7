"""Columns in the several forms of published data sets -> the one form that a task reads."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import Task


def arrange(
    rows_by_split: Mapping[str, Rows], task: "Task", bad_rows: RowFilter, note: Note
) -> dict[str, Rows]:
    """Bring all splits into the form that the task reads, without the rows that have no such form.

    Raises:
        DataError: a row has none, and is not to be skipped.
    """
    datasets = {split: rows.dataset for split, rows in rows_by_split.items()}
    arranged = {}
    for split, (dataset, problems) in task.arrange(datasets, note).items():
        rows = replace(rows_by_split[split], dataset=dataset)
        arranged[split] = bad_rows.apply(split, rows, partial(_listed, problems))
    return arranged


def _listed(problems: Mapping[int, str], _: "Dataset") -> Iterable[tuple[int, str]]:
    return problems.items()
