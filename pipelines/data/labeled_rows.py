"""Labels of all splits: rows that have one, numbers out of text, and what there is to predict."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipelines.core import tag_schemes
from pipelines.core.label_inference import with_names
from pipelines.core.labels import CLOSED, REGRESSION, TOKENS, Labels
from pipelines.data import label_checks, number_labels, streams
from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task

MAX_CLASSES_IN_NOTE = 5


def select(
    rows_by_split: Mapping[str, Rows],
    task: "Task",
    source: "Source",
    bad_rows: RowFilter,
    *,
    is_streamed: bool = False,
) -> dict[str, Rows]:
    """Select the rows that have a label, and read labels in text that are meant as numbers.

    Raises:
        DataError: a row has no label, or no number among numbers, and is not to be skipped.
    """
    if task.target != "label":
        return dict(rows_by_split)
    labeled = _drop_unlabeled(rows_by_split, task, bad_rows)
    if source.label_names:  # which are names of classes
        return labeled
    # what comes later in a stream stays text, so that nothing can be converted
    strict = RowFilter(skip=False, note=bad_rows.note) if is_streamed else bad_rows
    return number_labels.as_numbers(labeled, getattr(task, "problem_type", ""), strict)


def infer(
    rows_by_split: Mapping[str, Rows],
    task: "Task",
    source: "Source",
    note: Note,
    *,
    is_streamed: bool = False,
) -> Labels:
    """Infer the labels from train, and check that no other split has more.

    Nobody knows what is still to come in a stream, so its classes include those of validation.

    Raises:
        DataError: labels that cannot be learned, or that train does not have.
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


def _drop_unlabeled(
    rows_by_split: Mapping[str, Rows], task: "Task", bad_rows: RowFilter
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
    bad_rows.note("labels of train are whole numbers, but for the missing ones: read as integers")
    # the other splits, too: one column has one type
    return {split: label_checks.with_integers(rows) for split, rows in labeled.items()}


def _note_absent_classes(train: "Dataset", labels: Labels, note: Note) -> None:
    absent = label_checks.classes_without_examples(train, labels)
    if absent:
        shown = ", ".join(absent[:MAX_CLASSES_IN_NOTE]) + ", …" * (
            len(absent) > MAX_CLASSES_IN_NOTE
        )
        note(f"{len(absent)} of {len(labels.names)} classes have no example in train: {shown}")
