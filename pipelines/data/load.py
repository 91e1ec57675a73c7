"""The stages from a source to checked splits, in their order; `pipelines.data` lists them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.core import tag_schemes
from pipelines.core.errors import DataError
from pipelines.core.label_inference import with_names
from pipelines.core.labels import CLOSED, REGRESSION, SINGLE, TOKENS, Labels
from pipelines.data import (
    columns,
    folds,
    label_checks,
    media_columns,
    number_labels,
    split_column,
    splits,
    streams,
    unused_texts,
    word_rows,
)
from pipelines.data.arrangement import arrange
from pipelines.data.bad_rows import RowFilter
from pipelines.data.columns import Columns
from pipelines.data.dataset import Data, Note
from pipelines.data.rows import Rows
from pipelines.data.sources import USUAL_NAMES, StreamedSource
from pipelines.data.splits import SplitAssignment

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task
    from pipelines.tasks.augmentations import Augmentation

MAX_CLASSES_IN_NOTE = 5


def load(source: "Source", task: "Task", seed: int, *, cross_validates: bool = False) -> Data:
    """Load the data of a run: choose splits and columns, check rows and labels, draw and limit.

    Args:
        cross_validates: whether folds of train can stand in for a validation split.

    Raises:
        DataError: data that do not fit, by split, row (from 0), column and value.
        HubError: a hub is needed and cannot be reached.
    """
    notes: list[str] = []
    note = notes.append
    available = source.load()
    notes.extend(getattr(available, "notes", ()))  # a source may return any mapping
    assignment = splits.assign(available, source.splits)
    # the whole stream: `materialize` puts its first rows in its place
    whole_train, streamed = assignment.datasets["train"], _if_streamed(source)
    if streamed:
        assignment = streams.materialize(assignment, streamed, note)
    unreadable = getattr(available, "unreadable", {})
    rows_by_split, roles = _select_roles(assignment, source, task, unreadable, note)
    if warning := split_column.warning(assignment.datasets["train"], roles):
        note(warning)
    unused = unused_texts.find(assignment.datasets["train"], roles)
    if not columns.has_inputs(source.columns) and columns.may_take_more(task.roles):
        unused_texts.check(unused, roles)
    bad_rows = RowFilter(source.on_bad_row == "skip", note)
    rows_by_split = arrange(rows_by_split, task, bad_rows, note)
    if task.target == "label":
        rows_by_split = _drop_unlabeled(rows_by_split, task, bad_rows, note)
        if not source.label_names:  # which are names of classes
            # what comes later in a stream stays text, so that nothing can be converted
            strict = RowFilter(skip=False, note=note) if streamed else bad_rows
            kind = getattr(task, "problem_type", "")
            rows_by_split = number_labels.as_numbers(rows_by_split, kind, strict)
    labels = _labels(rows_by_split, task, source, note, is_streamed=bool(streamed))
    # numbers and lists of classes have no strata: most values would occur once
    by_class = labels.problem_type == SINGLE
    draw = splits.Sampler(seed, strata="label" if by_class else None, note=note)
    train = rows_by_split["train"]
    num_folds = folds.count(train, assignment, source)
    if num_folds and cross_validates:
        assignment = assignment.without_share("validation")
        note(
            f"no validation split: {num_folds} folds of train choose, and scores on validation are "
            "those of rows out of fold; nothing is set aside (data.folds)"
        )
    rows_by_split = splits.cut_from_train(rows_by_split, assignment, draw)
    for split, rows in rows_by_split.items():
        # the limit comes first: what is not used need not be read
        limited = splits.limit(split, rows, getattr(source.limit, split), draw)
        rows_by_split[split] = bad_rows.apply(split, limited, task.corrupt_rows)
    stream = None
    if streamed:
        first = assignment.datasets["train"]
        streams.check_class_weights(rows_by_split["train"].dataset, task, labels)
        stream = streams.prepare(whole_train, first, roles, streamed, task, labels, seed)
    # a fixed order: reports list splits in it, and take the last one as the result
    ordered = {split: rows_by_split[split] for split in USUAL_NAMES if split in rows_by_split}
    names: dict[str, str | float] = {**assignment.names, **assignment.shares}
    source_splits = {split: names[split] for split in ordered}
    return Data(
        ordered,
        labels,
        tuple(notes),
        source_splits,
        tuple(bad_rows.left_out),
        unused,
        stream,
        num_folds,
    )


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
    left_out = (*data.left_out, *bad_rows.left_out)
    return replace(data, splits=remaining, notes=(*data.notes, *notes), left_out=left_out)


def _if_streamed(source: "Source") -> StreamedSource | None:
    """The source, if the recipe streams it."""
    return source if isinstance(source, StreamedSource) and source.streaming else None


def _select_roles(
    assignment: SplitAssignment,
    source: "Source",
    task: "Task",
    unreadable: Mapping[str, str],
    note: Note,
) -> tuple[dict[str, Rows], Columns]:
    """(split -> rows with columns named by role, the column of each role).

    A test split without labels is dropped, unless the recipe names it.
    """
    for split, dataset in assignment.datasets.items():
        if not len(dataset):
            raise DataError(f"{split}: the split is empty; name another one: data.splits.{split}=…")
    datasets = {
        split: columns.with_fields(dataset, source.columns)
        for split, dataset in assignment.datasets.items()
    }
    train = datasets["train"]
    # a column that could not be read is found by its name all the same, and refused
    available = [*dict.fromkeys([*train.column_names, *unreadable])]
    roles, guessed = columns.assign(available, task.roles, source.columns, task.layouts)
    columns.check_readable(train, roles, unreadable, skip=source.on_bad_row == "skip")
    if described := columns.describe(guessed, task.roles):
        note(described)
    result: dict[str, Rows] = {}
    for split, dataset in datasets.items():
        # a test split that was only found by its name may come without labels, as in GLUE
        target = task.target if split == "test" and split in assignment.guessed else None
        if target and not columns.has_role(dataset, roles, target):
            note(f"test split has no {target} column: not used")
            continue
        selected = columns.select_roles(dataset, roles, split)
        if "tokens" in roles:
            selected = word_rows.group(selected, split, note)
        if task.modality in media_columns.KINDS:
            selected = media_columns.read(selected, task.modality, source.folder, split, note)
        if target and label_checks.are_hidden(selected, result["train"].dataset, target):
            note(f"test split has no {target}s ({selected[0][target]}): not used")
            continue
        result[split] = Rows.of(selected, split)
    return result, roles


def _drop_unlabeled(
    rows_by_split: Mapping[str, Rows], task: "Task", bad_rows: RowFilter, note: Note
) -> dict[str, Rows]:
    """Remove the rows without a label, and read class ids as integers again.

    One gap turns a column of integers into floats, which would be a regression.
    """
    are_numbers = getattr(task, "problem_type", None) == REGRESSION
    find = partial(label_checks.rows_without_label, are_numbers=are_numbers)
    labeled = {
        split: bad_rows.apply(split, rows, find, "have none")
        for split, rows in rows_by_split.items()
    }
    had_gaps = len(labeled["train"]) < len(rows_by_split["train"])
    if not had_gaps or not label_checks.are_whole_floats(labeled["train"].dataset):
        return labeled
    note("labels of train are whole numbers, but for the missing ones: read as integers")
    # the other splits, too: one column has one type
    return {split: label_checks.with_integers(rows) for split, rows in labeled.items()}


def _labels(
    rows_by_split: Mapping[str, Rows],
    task: "Task",
    source: "Source",
    note: Note,
    *,
    is_streamed: bool = False,
) -> Labels:
    """Infer the labels from train, and check that no other split has more.

    Nobody knows what is still to come in a stream, so its classes include those of validation.
    """
    train = rows_by_split["train"].dataset
    if task.target == "label":
        # equal ids with other names would be learned without any error
        for split, rows in rows_by_split.items():
            label_checks.check_class_names(rows.dataset, train, split)
    if is_streamed:
        train = streams.concatenate(train, rows_by_split["validation"].dataset)
    labels = task.labels(train)
    if labels.reason:
        note(labels.reason)
    if source.label_names:
        labels = with_names(labels, source.label_names)
    if labels.problem_type == TOKENS:
        note(tag_schemes.describe(labels, train["label"]))
    if labels.problem_type not in CLOSED:
        return labels
    for split, rows in rows_by_split.items():
        label_checks.check_learnable(rows, train, labels, split)
    _note_absent_classes(train, labels, note)
    return labels


def _note_absent_classes(train: "Dataset", labels: Labels, note: Note) -> None:
    absent = label_checks.classes_without_examples(train, labels)
    if absent:
        shown = ", ".join(absent[:MAX_CLASSES_IN_NOTE]) + ", …" * (
            len(absent) > MAX_CLASSES_IN_NOTE
        )
        note(f"{len(absent)} of {len(labels.names)} classes have no example in train: {shown}")
