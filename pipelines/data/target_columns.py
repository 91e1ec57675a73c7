"""The splits of a target -> rows whose columns are named by role, as those of train are."""

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError
from pipelines.data import columns, role_columns
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows
from pipelines.data.spelled_texts import as_spelled
from pipelines.data.usual_columns import candidates, names_in

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


def select(
    datasets: "Mapping[str, Dataset]",
    names: Mapping[str, str],
    source: "Source",
    task: "Task",
    available: "Mapping[str, Dataset]",
    train_roles: Columns,
    note: Note,
) -> tuple[dict[str, Rows], Columns]:
    """Select the columns of each role, those of train where the target has them.

    Args:
        names: split -> its name in the source.
        available: all splits of the target's source.
        train_roles: role -> column in the source domain.

    Returns:
        (split -> rows with columns named by role, role -> column; without a label where there is
        none).

    Raises:
        DataError: an empty split, or an input that is missing or cannot be read.
    """
    for split, dataset in datasets.items():
        if not len(dataset):
            raise DataError(f"{split}: the split is empty; name another one: data.splits.{split}=…")
    unreadable = getattr(available, "unreadable", {})
    explicit: Columns = source.columns
    train = columns.with_fields(datasets["train"], explicit)
    # the label may stand in the split that is scored alone
    present = [train.column_names, *(dataset.column_names for dataset in datasets.values())]
    known = [*dict.fromkeys([*chain.from_iterable(present), *unreadable])]
    roles = _roles(known, explicit, task, train_roles)
    columns.check_readable(train, roles, unreadable, skip=source.on_bad_row == "skip")
    moved = {role: c for role, c in roles.items() if c != train_roles.get(role)}
    if described := columns.describe(moved, task.roles):
        note(described)
    spelled = as_spelled(datasets, names, available, roles, note)
    return {s: _rows(d, roles, source, task, s, note) for s, d in spelled.items()}, roles


def _roles(available: list[str], explicit: Columns, task: "Task", train_roles: Columns) -> Columns:
    """Assign a column to each role that train has; the label is optional.

    Raises:
        DataError: an input of train has no column here.
    """
    usual = {role.rstrip("?+"): known for role, known in task.roles.items()}
    same = {role: c for role, c in train_roles.items() if {*names_in({role: c})} <= {*available}}
    label = explicit.get("label") or same.get("label")
    taken = names_in({**same, **explicit})
    if label is None:
        free = [name for name in available if name not in taken]
        label = next(iter(candidates(free, usual["label"], may_be_list=False)), None)
    inputs = {role: known for role, known in usual.items() if role in train_roles}
    del inputs["label"]
    explicit_inputs = {role: c for role, c in explicit.items() if role != "label"}
    if not explicit_inputs and len(same.keys() - {"label"}) == len(inputs):
        explicit_inputs = {role: column for role, column in same.items() if role != "label"}
    others = [name for name in available if name not in names_in({"label": label or []})]
    roles, _ = columns.assign(others, inputs, explicit_inputs)
    if label is None:
        return roles
    if absent := [name for name in names_in({"label": label}) if name not in available]:
        raise DataError(
            f"data.columns.label: no column '{absent[0]}'; leave it out where the target has no "
            f"labels; columns: {', '.join(available)}"
        )
    return {**roles, "label": label}


def _rows(
    dataset: "Dataset", roles: Columns, source: "Source", task: "Task", split: str, note: Note
) -> Rows:
    whole = columns.spelled_as_train(columns.with_fields(dataset, roles), roles, split, note)
    # a split that is scored may have labels where the other has none, and the other way around
    present = {r: c for r, c in roles.items() if r != "label" or columns.has_role(whole, roles, r)}
    origin = f"target {split}"
    return Rows.of(role_columns.named_by_role(whole, present, source, task, origin, note), origin)
