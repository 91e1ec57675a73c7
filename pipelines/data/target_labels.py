"""Labels of a target, for scores alone: spelled as in train, or refused by the difference."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError, listed
from pipelines.core.labels import REGRESSION, SINGLE, Labels
from pipelines.data import label_checks, number_labels
from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import Task

MAX_LISTED = 20  # classes, in an error message


def select(rows: Rows, task: "Task", labels: Labels, train: "Dataset", note: Note) -> Rows | None:
    """Select the rows with a label, and spell labels as train does.

    Returns:
        None where no row has one.

    Raises:
        DataError: labels that train does not have.
    """
    if "label" not in rows.dataset.column_names or label_checks.are_hidden(rows.dataset, train):
        note("no labels: it is adapted to, and not scored")
        return None
    are_numbers = labels.problem_type == REGRESSION
    labeled = RowFilter(True, note).apply(
        rows.origin,
        rows,
        partial(label_checks.rows_without_label, are_numbers=are_numbers),
        "have no label",
        "adapted to, and not scored",
    )
    if labels.problem_type == SINGLE:
        return _spelled_as_train(labeled, labels, train)
    if are_numbers:
        split = labeled.origin
        numbers = number_labels.as_numbers({split: labeled}, REGRESSION, RowFilter(False, note))
        labeled = numbers[split]
    label_checks.check_class_names(labeled.dataset, train, labeled.origin)
    label_checks.check_learnable(labeled, train, labels, labeled.origin)
    return labeled


def _spelled_as_train(rows: Rows, labels: Labels, train: "Dataset") -> Rows:
    """Write each label as train has it: classes are the same by name, not by number."""
    declared = getattr(rows.dataset.features["label"], "names", None)
    values = rows.dataset["label"][:]
    counts = Counter(declared[value] if declared else value for value in values)
    known: dict[Any, Any] = dict(zip(labels.names, labels.values, strict=True))
    if not declared:  # ids may stand for the classes, too
        known |= {value: value for value in labels.values}
    learned = set(train["label"][:])
    spelled = {v: known.get(v, known.get(str(v))) for v in counts}
    absent = [value for value, mine in spelled.items() if mine not in learned]
    if absent:
        num_rows = sum(counts[value] for value in absent)
        names = [
            repr(name)
            for name, value in zip(labels.names, labels.values, strict=True)
            if value in learned
        ]
        raise DataError(
            f"{num_rows:,} of {len(values):,} labels do not occur in train: "
            f"{listed(map(repr, absent), MAX_LISTED)}; train has {listed(names, MAX_LISTED)}; "
            "rename them (or the classes of train, by label_names of data), remove these rows, or "
            "leave the label out"
        )
    column = [spelled[declared[value] if declared else value] for value in values]
    others = rows.dataset.remove_columns("label")
    feature = train.features["label"]
    return replace(rows, dataset=others.add_column("label", column, feature=feature))
