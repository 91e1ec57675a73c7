"""New rows with labels, for what a run knows of task and labels: columns by role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, listed, suggest
from pipelines.core.labels import CHOICE, REGRESSION, Labels
from pipelines.data import (
    columns,
    group_column,
    input_columns,
    inputs,
    known_labels,
    label_checks,
    number_labels,
    role_columns,
    row_ids,
    samples,
    unlabeled,
)
from pipelines.data.bad_rows import RowFilter
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.rows import Groups, Rows
from pipelines.data.spelled_texts import as_spelled
from pipelines.data.split_names import USUAL_NAMES
from pipelines.data.usual_columns import Column, candidates, names_in

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


@dataclass(frozen=True)
class LabeledInputs:
    """Rows that have a label.

    Attributes:
        table: all rows of the split with all their columns, as they were read.
        rows: those with a label; columns by role, labels as `labels` encodes them.
        labels: what there is to predict.
        split: the name of the split; empty where there is only one table or folder.
        is_by_row: whether the rows of `table` are examples, and no words.
    """

    table: "Dataset"
    rows: Rows
    labels: Labels
    split: str
    is_by_row: bool


@dataclass(frozen=True)
class KnownData:
    """What a run knows of its data.

    Attributes:
        columns: role -> column in the data that it was trained on.
        labels: what it predicts.
        id_names: what the ids 0, 1, 2… were called in training.
        group: the column of rows that belong together; None without one.
    """

    columns: Columns
    labels: Labels
    id_names: Sequence[str]
    group: str | None = None


def load(
    source: "Source", split: str | None, task: "Task", known: KnownData, note: Note
) -> LabeledInputs:
    """Load a split of a source with its labels.

    Args:
        split: its name; None: the test split, or what stands for it.
        note: is called with what was inferred, and how many rows have no label.

    Raises:
        DataError: no such split or column, or labels that the run does not know.
    """
    available = source.load()
    for text in getattr(available, "notes", ()):
        note(text)
    name = _choose(available, split, source, note)
    title, dataset = inputs.title_of(source, available, name), available[name]
    roles = _roles(dataset, source, task, known, note)
    unreadable = getattr(available, "unreadable", {})
    columns.check_readable(dataset, roles, unreadable, skip=False)
    dataset = as_spelled({name: dataset}, {name: name}, available, roles, note)[name]
    if not len(dataset):
        raise DataError(f"{title}: there are no rows")
    whole = columns.with_fields(dataset, roles)
    examples = role_columns.named_by_role(whole, roles, source, task, title, note)
    is_by_row = len(examples) == len(dataset)
    rows = Rows.of(examples, title)
    if is_by_row:
        rows = replace(rows, ids=row_ids.find(dataset, names_in(roles)))
        rows = replace(rows, groups=_groups(whole, known.group, title, note))
    rows, labels = _labeled(rows, task, source, known, note)
    if split is None:
        rows = samples.limit("test", rows, source.limit.test, samples.Sampler(0, None, note))
    return LabeledInputs(dataset, rows, labels, name if title == name else "", is_by_row)


def _choose(
    available: "Mapping[str, Dataset]", split: str | None, source: "Source", note: Note
) -> str:
    """Choose the split, and note which where there are several."""
    requested = source.splits.test
    if isinstance(requested, float) and split is None:
        raise DataError(
            "data.splits.test: a share of train is no split by itself; name a split: --split NAME"
        )
    chosen = split or source.splits.names.get("test")
    if chosen is None:
        usual = chain.from_iterable(USUAL_NAMES[kind] for kind in unlabeled.SPLITS)
        chosen = next((name for name in usual if name in available), next(iter(available)))
        if len(available) > 1:
            note(f"split '{chosen}' of {listed(available)}; --split names another one")
    if chosen not in available:
        raise DataError(f"--split {chosen}: no such split; {suggest(chosen, available)}")
    if not hasattr(available[chosen], "num_rows"):
        raise DataError("data.streaming: rows to be scored are loaded, not streamed; leave it out")
    return chosen


def _roles(
    dataset: "Dataset", source: "Source", task: "Task", known: KnownData, note: Note
) -> Columns:
    """Assign a column to the target and to each input, and note that of the target."""
    target, explicit = task.target or "", source.columns
    label = explicit.get(target) or _usual_target(dataset, target, task, known)
    names = names_in({target: label})
    present = columns.with_fields(dataset, {target: label}).column_names
    if absent := [name for name in names if name not in present]:
        raise DataError(
            f"data.columns.{target}: no column '{absent[0]}'; "
            f"{suggest(absent[0], dataset.column_names)}"
        )
    note(f"{target}: column {', '.join(map(repr, names))}")
    others = dataset.remove_columns([name for name in names if name in dataset.column_names])
    roles = input_columns.assign(others, task, known.columns, explicit)
    sentence = explicit.get(input_columns.OF_WORDS) or known.columns.get(input_columns.OF_WORDS)
    if isinstance(sentence, str) and sentence in others.column_names:
        roles[input_columns.OF_WORDS] = sentence
    return {**roles, target: label}


def _usual_target(dataset: "Dataset", target: str, task: "Task", known: KnownData) -> Column:
    """Find the column of the target: that of training, else one with a usual name."""
    trained = input_columns.in_any_case(dataset, known.columns).get(target)
    available = columns.with_fields(dataset, {target: trained or []}).column_names
    if trained and {*names_in({target: trained})} <= {*available}:
        return trained
    usual = {role.rstrip("?+"): names for role, names in task.roles.items()}[target]
    taken = names_in({role: c for role, c in known.columns.items() if role != target})
    free = [name for name in dataset.column_names if name not in taken]
    if matches := candidates(free, usual, may_be_list=False):
        return matches[0]
    looked = ", ".join(dict.fromkeys([*names_in({target: trained or []}), *usual]))
    raise DataError(
        f"no column is obviously the {target} (looked for {looked}); set data.columns.{target}=…; "
        f"columns: {listed(dataset.column_names)}"
    )


def _groups(dataset: "Dataset", column: str | None, split: str, note: Note) -> Groups | None:
    """Read which rows belong together, where the data say so as in training."""
    if column is None or column not in dataset.column_names:
        return None
    note(f"groups: '{column}', as in training; intervals are over groups")
    return group_column.number({split: group_column.read(dataset, column, split, note)}, column)[
        split
    ]


def _labeled(
    rows: Rows, task: "Task", source: "Source", known: KnownData, note: Note
) -> tuple[Rows, Labels]:
    """Select the rows with a label, and write labels as the run knows them."""
    labels, skip = known.labels, RowFilter(True, note)
    if labels.problem_type == CHOICE:
        # splits are arranged by train, which these rows stand for
        arranged, problems = task.arrange({"train": rows.dataset}, note)["train"]
        rows = replace(rows, dataset=arranged)
        rows = skip.apply(rows.origin, rows, lambda _: problems.items())
    if task.target != "label":
        return rows, labels
    are_numbers = labels.problem_type == REGRESSION
    find = partial(label_checks.rows_without_label, are_numbers=are_numbers)
    rows = skip.apply(rows.origin, rows, find, "have no label")
    if labels.problem_type == CHOICE:
        return rows, replace(labels, values=tuple(range(len(labels.names))))
    if are_numbers:
        numbers = number_labels.as_numbers({rows.origin: rows}, REGRESSION, RowFilter(False, note))
        return numbers[rows.origin], labels
    id_names = source.label_names or known.id_names
    return known_labels.spelled(rows, labels, id_names, note), labels
