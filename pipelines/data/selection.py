"""One source -> its splits, with columns named by role, in the form that the task reads."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.data import columns, role_columns, split_column, splits, streams, unused_texts
from pipelines.data.arrangement import arrange
from pipelines.data.bad_rows import RowFilter
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.rows import Domains, Rows
from pipelines.data.sources import StreamedSource
from pipelines.data.splits import SplitAssignment
from pipelines.data.unused_texts import UnusedText

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Selection:
    """What a source, or several together, have for a run.

    Attributes:
        whole: what serves as each split, as it was loaded; a stream is one.
        assignment: the same, of a stream its first rows.
        rows: split -> rows with columns named by role.
        roles: role -> column.
        unused: column of texts that no role takes -> what it holds.
        shares: split -> name of a source -> the share of its train to cut for the split, where
            sources differ in it.
    """

    whole: SplitAssignment
    assignment: SplitAssignment
    rows: dict[str, Rows]
    roles: Columns
    unused: dict[str, UnusedText]
    shares: dict[str, dict[str, float]] = field(default_factory=dict)


def select(
    source: "Source",
    task: "Task",
    bad_rows: RowFilter,
    note: Note,
    domain: tuple[str, ...] = (),
    number: int = 0,
) -> Selection:
    """Load a source, choose splits and columns, and bring them into the form of the task.

    Args:
        domain: of several sources, the names of all; this one is at `number`.

    Raises:
        DataError: data that do not fit, by split, row (from 0), column and value.
        HubError: a hub is needed and cannot be reached.
    """
    available = source.load()
    for text in getattr(available, "notes", ()):  # a source may return any mapping
        note(text)
    # of a stream, the whole of it: its first rows stand for it in `assignment`
    whole, streamed = splits.assign(available, source.splits), if_streamed(source)
    assignment = streams.materialize(whole, streamed, note) if streamed else whole
    rows, roles = role_columns.select(assignment, source, task, available, note)
    unused = _unused_texts(assignment.datasets["train"], roles, source, task, note)
    if domain:
        rows = {split: _of_domain(each, domain, number) for split, each in rows.items()}
    return Selection(whole, assignment, arrange(rows, task, bad_rows, note), roles, unused)


def if_streamed(source: "Source") -> StreamedSource | None:
    """Return the source, if the recipe streams it."""
    return source if isinstance(source, StreamedSource) and source.streaming else None


def _of_domain(rows: Rows, names: tuple[str, ...], number: int) -> Rows:
    return replace(rows, domains=Domains(names, np.full(len(rows), number)))


def _unused_texts(
    train: "Dataset", roles: Columns, source: "Source", task: "Task", note: Note
) -> dict[str, UnusedText]:
    """Return the columns of texts that no role takes; note one that looks like splits."""
    used = {**roles, "group": source.group} if source.group else roles
    if warning := split_column.warning(train, roles):
        note(warning)
    unused = unused_texts.find(train, used)
    if not columns.has_inputs(source.columns) and columns.may_take_more(task.roles):
        unused_texts.check(unused, roles)
    return unused
