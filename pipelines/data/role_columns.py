"""The splits of a source -> rows whose columns are named by role."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data import columns, group_column, label_checks, media_columns, row_ids, word_rows
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows
from pipelines.data.spelled_texts import as_spelled
from pipelines.data.splits import SplitAssignment

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


def select(
    assignment: SplitAssignment,
    source: "Source",
    task: "Task",
    available: "Mapping[str, Dataset]",
    note: Note,
) -> tuple[dict[str, Rows], Columns]:
    """Choose the column of each role by train, and select these columns of every split.

    A test split without labels is dropped, unless the recipe names it.

    Args:
        available: all splits of the source, as it loaded them.

    Returns:
        (split -> rows with columns named by role, the column of each role).

    Raises:
        DataError: an empty split, or a column that is missing or cannot be read.
    """
    for split, dataset in assignment.datasets.items():
        if not len(dataset):
            raise DataError(f"{split}: the split is empty; name another one: data.splits.{split}=…")
    named: Columns = {**source.columns, **({"group": source.group} if source.group else {})}
    train = columns.with_fields(assignment.datasets["train"], named)
    unreadable = getattr(available, "unreadable", {})
    roles = _roles(train, source, task, unreadable, note)
    datasets = as_spelled(assignment.datasets, assignment.names, available, roles, note)
    guessed = assignment.guessed
    result: dict[str, Rows] = {}
    groups = {}
    for split, dataset, selected in _usable(datasets, named, roles, guessed, source, task, note):
        is_shorter = len(selected) < len(dataset)  # its rows are words, which make sentences
        ids = None if is_shorter else row_ids.find(dataset, columns.names_in(roles | named))
        result[split] = replace(Rows.of(selected, split), ids=ids)
        if source.group:
            values = group_column.read(dataset, source.group, split, note)
            groups[split] = _of_sentences(values, dataset, roles, split) if is_shorter else values
    if not source.group:
        return result, roles
    numbered = group_column.number(groups, source.group)
    return {split: replace(rows, groups=numbered[split]) for split, rows in result.items()}, roles


def _usable(
    datasets: "Mapping[str, Dataset]",
    named: Columns,
    roles: Columns,
    guessed: Container[str],
    source: "Source",
    task: "Task",
    note: Note,
) -> "Iterator[tuple[str, Dataset, Dataset]]":
    """Yield (split, its columns as they are, the same by role) for each split that is used.

    A test split that was only recognized by its name may come without labels, as in GLUE.
    """
    train = None
    for split, as_written in datasets.items():
        whole = columns.with_fields(as_written, named)
        dataset = columns.spelled_as_train(whole, roles | named, split, note)
        target = task.target if split == "test" and split in guessed else None
        if target and not columns.has_role(dataset, roles, target):
            note(f"test split has no {target} column: not used")
            continue
        selected = named_by_role(dataset, roles, source, task, split, note)
        train = selected if split == "train" else train
        if target and label_checks.are_hidden(selected, train, target):
            note(f"test split has no {target}s ({selected[0][target]}): not used")
            continue
        yield split, dataset, selected


def _of_sentences(values: "pa.Array", dataset: "Dataset", roles: Columns, split: str) -> "pa.Array":
    """Return the value of each sentence, that of its first word, where rows are words."""
    name = str(roles[word_rows.ROLE])
    column = dataset.select_columns([name]).with_format("arrow")[:][name]
    return values.take(word_rows.starts_of(column, split)[:-1])


def _roles(
    train: "Dataset", source: "Source", task: "Task", unreadable: Mapping[str, str], note: Note
) -> Columns:
    """Return the column of each role."""
    # a column that could not be read is found by its name all the same, and refused
    available = [*dict.fromkeys([*train.column_names, *unreadable])]
    group_column.check(available, source.group)
    roles, guessed = _assign(available, source, task)
    used = {**roles, "group": source.group} if source.group else roles
    columns.check_readable(train, used, unreadable, skip=source.on_bad_row == "skip")
    if described := columns.describe(guessed, task.roles):
        note(described)
    return roles


def _assign(available: list[str], source: "Source", task: "Task") -> tuple[Columns, Columns]:
    """Assign columns to roles; one of groups is no input, unless the recipe or the task needs it.

    Returns:
        (role -> column, the guessed ones among them).
    """
    explicit, layouts = source.columns, task.layouts
    if source.group and source.group not in columns.names_in(explicit):
        others = [name for name in available if name != source.group]
        try:
            return columns.assign(others, task.roles, explicit, layouts)
        except DataError:  # such as the context of questions, which are grouped by it
            pass
    return columns.assign(available, task.roles, explicit, layouts)


def named_by_role(
    dataset: "Dataset", roles: Columns, source: "Source", task: "Task", split: str, note: Note
) -> "Dataset":
    """Select the columns of a split by role; rows of words are grouped, media files found.

    Raises:
        DataError: a column is missing or cannot be read.
    """
    selected = columns.select_roles(dataset, roles, split)
    if "tokens" in roles:
        selected = word_rows.group(selected, split, note)
    if task.modality in media_columns.KINDS:
        selected = media_columns.read(selected, task.modality, source.folder, split, note)
    return selected
