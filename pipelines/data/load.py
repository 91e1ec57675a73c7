"""The stages from a source to checked splits, in their order; `pipelines.data` lists them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.core.labels import SINGLE, Labels
from pipelines.data import (
    domains,
    folds,
    group_column,
    labeled_rows,
    samples,
    selection,
    splits,
    streams,
    target,
    united_labels,
    unlearned_classes,
    usual_columns,
)
from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Data, Note
from pipelines.data.rows import Rows
from pipelines.data.selection import if_streamed
from pipelines.data.sources.several import Several
from pipelines.data.split_names import USUAL_NAMES

if TYPE_CHECKING:
    from pipelines.data.sources import Source
    from pipelines.tasks import Task


def load(source: "Source", task: "Task", seed: int, *, max_fold_rows: int = 0) -> Data:
    """Load the data of a run: choose splits and columns, check rows and labels, draw and limit.

    Args:
        max_fold_rows: of train, up to which folds stand in for a validation split where the recipe
            leaves it open; 0: something else needs the split.

    Raises:
        DataError: data that do not fit, by split, row (from 0), column and value.
        HubError: a hub is needed and cannot be reached.
    """
    notes: list[str] = []
    note = notes.append
    bad_rows = RowFilter(source.on_bad_row == "skip", note)
    selected = _select(source, task, seed, bad_rows, note)
    streamed = if_streamed(source)
    is_streamed = bool(streamed)
    labeled = labeled_rows.select(selected.rows, task, source, bad_rows, is_streamed=is_streamed)
    labels = labeled_rows.infer(labeled, task, source, note, is_streamed=is_streamed)
    united_labels.check(labeled["train"], labels, note)
    # numbers and lists of classes have no strata: most values would occur once
    draw = samples.Sampler(seed, "label" if labels.problem_type == SINGLE else None, note)
    divided, assignment, num_folds = _divide(labeled, selected, source, labels, draw, max_fold_rows)
    rows = _limit(divided, source, task, bad_rows, draw)
    if not is_streamed:
        max_rows = _applied_limit(divided["train"], source)
        unlearned_classes.check(rows["train"], labels, draw, num_folds, max_rows)
    _note_groups(rows, selected, note, is_divided=bool(num_folds or assignment.shares))
    train, roles, stream = rows["train"].dataset, selected.roles, None
    if streamed:
        streams.check_class_weights(train, task, labels)
        stream = streams.prepare(selected.whole, assignment, roles, streamed, task, labels, seed)
    domain = target.load(source, task, labels, train, roles, seed, note)
    bad_rows.left_out += domain.left_out if domain else ()
    names = assignment.names | assignment.shares
    used, left_out = {split: names[split] for split in rows}, tuple(bad_rows.left_out)
    return Data(
        rows, labels, (*notes,), used, left_out, selected.unused, stream, num_folds, domain, roles
    )


def _select(
    source: "Source", task: "Task", seed: int, bad_rows: RowFilter, note: Note
) -> selection.Selection:
    """Load one source, or unite several, and name their columns by role."""
    if isinstance(source, Several):
        return domains.select(source, task, seed, bad_rows, note)
    return selection.select(source, task, bad_rows, note)


def _note_groups(
    ordered: Mapping[str, Rows], selected: selection.Selection, note: Note, *, is_divided: bool
) -> None:
    """Note what rows of several sources and of groups there are in each split.

    Also a column that is likely to group rows, if some were cut from train without one.
    """
    of_domains, of_groups = domains.describe(ordered), group_column.describe(ordered)
    for described in filter(None, (of_domains, of_groups)):
        note(described)
    if of_groups or not is_divided:
        return
    train = selected.whole.datasets["train"]
    if name := group_column.usual(train, usual_columns.names_in(selected.roles)):
        note(
            f"column '{name}' may say which rows belong together: data.group={name} keeps those of "
            "one value on one side of every cut"
        )


def _divide(
    rows_by_split: Mapping[str, Rows],
    selected: selection.Selection,
    source: "Source",
    labels: Labels,
    draw: samples.Sampler,
    max_fold_rows: int,
) -> tuple[dict[str, Rows], splits.SplitAssignment, int]:
    """Cut from train what is to test and to validate, or leave validation to folds of train.

    Returns:
        (split -> rows, what was chosen for each split, the number of folds, 0 if there are none).
    """
    assignment = selected.assignment
    rows_by_split = domains.cut(rows_by_split, selected.shares, draw)
    rows_by_split, num_rows = _before_validation(rows_by_split, assignment, source, labels, draw)
    train = rows_by_split["train"]
    num_folds = folds.count(train, assignment, source, draw, max_fold_rows)
    if num_folds:
        assignment = folds.instead_of_validation(assignment, num_folds, draw)
    divided = samples.set_aside("validation", rows_by_split, assignment, num_rows, draw)
    return divided, assignment, num_folds


def _before_validation(
    rows_by_split: Mapping[str, Rows],
    assignment: splits.SplitAssignment,
    source: "Source",
    labels: Labels,
    draw: samples.Sampler,
) -> tuple[dict[str, Rows], int]:
    """Cut a share of train for test, and limit its classes.

    Test comes first: neither how much is learned from, nor how it is validated, changes it.
    Validation comes last: rows that nobody is to have labeled must not choose.

    Returns:
        (split -> rows, the number of rows of which validation is a share).
    """
    num_rows = len(rows_by_split["train"])
    divided = samples.set_aside("test", rows_by_split, assignment, num_rows, draw)
    limited = samples.limit_classes(divided["train"], source.limit_per_class, labels, draw)
    if source.limit_per_class == 1 and "validation" not in assignment.names:
        raise DataError(
            "data.limit_per_class: 1: with one example of each class nothing can choose: none can "
            "be set aside, and no fold of train has a class that another has; expected 2 or more, "
            "or a validation split"
        )
    is_limited = len(limited) < len(divided["train"])
    return {**divided, "train": limited}, len(limited) if is_limited else num_rows


def _applied_limit(train: Rows, source: "Source") -> int | None:
    """Return the limit of train; None where there are no more rows than that."""
    limit = source.limit.train
    return limit if limit is not None and limit < len(train) else None


def _limit(
    rows_by_split: Mapping[str, Rows],
    source: "Source",
    task: "Task",
    bad_rows: RowFilter,
    draw: samples.Sampler,
) -> dict[str, Rows]:
    """Draw as many rows as the recipe allows that can be read."""
    limited = {}
    for split, rows in rows_by_split.items():
        # the limit comes first: what is not used need not be read
        drawn = samples.limit(split, rows, getattr(source.limit, split), draw)
        limited[split] = bad_rows.apply(split, drawn, task.corrupt_rows)
    # a fixed order: reports list splits in it, and take the last one as the result
    return {split: limited[split] for split in USUAL_NAMES if split in limited}
