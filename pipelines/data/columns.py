"""Columns of a data set -> columns named by their role in the task."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, listed, suggest
from pipelines.data import recipe_columns
from pipelines.data.dataset import Note
from pipelines.data.merged_columns import MERGES, merge_lists, merged_name
from pipelines.data.usual_columns import Columns, Roles, candidates, in_layout, names_in

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import ColumnLayout


def assign(
    available: list[str], roles: Roles, explicit: Columns, layouts: Sequence["ColumnLayout"] = ()
) -> tuple[Columns, Columns]:
    """Assign a column to every role: those of the recipe, then a known layout, then usual names.

    A recipe that names one input names them all: a layout or an optional role is guessed only if
    the recipe names no input.

    Args:
        available: the columns of train.
        explicit: role -> column as the recipe has it.
        layouts: columns that are read together.

    Returns:
        (role -> column for all roles, the guessed ones among them).

    Raises:
        DataError: an unknown role, no such column, a column in two roles, or none for a role.
    """
    recipe_columns.check(available, roles, explicit)
    taken = set(names_in(explicit))
    names_inputs = has_inputs(explicit)
    guessed, labels = ({}, ()) if names_inputs else _known_layout(available, taken, roles, layouts)
    wanted = {
        role: (*usual, *labels) if role == "label" else usual
        for role, usual in roles.items()
        if role.rstrip("?+") not in {**explicit, **guessed}
        and not (role.endswith("?") and names_inputs)
    }
    guessed |= _guess(available, {*taken, *names_in(guessed)}, wanted)
    assigned = {**explicit, **guessed}
    missing = [
        role for role in wanted if not role.endswith("?") and role.rstrip("+") not in assigned
    ]
    free = [name for name in available if name not in names_in(assigned)]
    if len(available) == 2 and len(missing) == len(free) == 1 and missing != ["label"]:
        guessed[missing[0].rstrip("+")] = free[0]
    elif missing:
        raise _no_obvious_column({role: roles[role] for role in missing}, available, free)
    return {**explicit, **guessed}, guessed


def describe(guessed: Columns, roles: Roles) -> str:
    """Describe which columns were guessed for roles of another name, and for optional ones."""
    names = {role: c if isinstance(c, str) else ", ".join(c) for role, c in guessed.items()}
    shown = [
        f"{role} is '{column}'"
        for role, column in names.items()
        if role != column or f"{role}?" in roles
    ]
    return f"columns: {', '.join(shown)}" if shown else ""


def has_inputs(explicit: Columns) -> bool:
    """Return whether a recipe names a column to read, and not the label alone."""
    return bool(explicit.keys() - {"label"})


def may_take_more(roles: Roles) -> bool:
    """Return whether a task reads one text or several: beside a text it has an optional input."""
    return "text" in roles and any(role.endswith("?") for role in roles)


def _guess(available: list[str], taken: set[str], wanted: Roles) -> Columns:
    """Return the likeliest column of each role by its usual names; none for a role without one."""
    guessed: Columns = {}
    for role, usual in wanted.items():
        # a column plays one role: "text" is not guessed again for a second input
        free = [name for name in available if name not in {*taken, *names_in(guessed)}]
        likeliest = candidates(free, usual, may_be_list=role.endswith("+"))
        if likeliest:
            guessed[role.rstrip("?+")] = likeliest[0]
    return guessed


def _known_layout(
    available: list[str], taken: set[str], roles: Roles, layouts: Sequence["ColumnLayout"]
) -> tuple[Columns, tuple[str, ...]]:
    """Find (columns of the first complete layout, usual names of the label beside them)."""
    usual = {role.rstrip("?+"): names for role, names in roles.items()}
    free = [name for name in available if name not in taken]
    for layout in layouts:
        if columns := in_layout(free, layout, usual):
            return columns, layout.labels
    return {}, ()


def _no_obvious_column(missing: Roles, available: list[str], free: list[str]) -> DataError:
    """Name all roles that have no column, and the keys that give them one."""
    wanted = [f"the {role.rstrip('+')} (looked for {', '.join(missing[role])})" for role in missing]
    likely = free[0] if len(missing) == len(free) == 1 else "…"
    keys = [f"data.columns.{role.rstrip('+')}={likely}" for role in missing]
    return DataError(
        f"no column is obviously {' and '.join(wanted)}; set {' '.join(keys)}; "
        f"columns: {listed(available)}"
    )


def check_readable(
    dataset: "Dataset", columns: Columns, unreadable: Mapping[str, str], *, skip: bool
) -> None:
    """Refuse the use of a column that the source could not read, or not all of.

    Args:
        columns: role -> column.
        unreadable: column -> what is wrong with it.
        skip: leave out the rows with a gap in place of what could not be read.

    Raises:
        DataError: a role takes such a column.
    """
    for name in names_in(columns):
        if name in unreadable and not (skip and name in dataset.column_names):
            advice = ""
            if name in dataset.column_names:
                advice = ", or leave out the rows that differ with data.on_bad_row=skip"
            raise DataError(unreadable[name] + advice)


def has_role(dataset: "Dataset", columns: Columns, role: str) -> bool:
    """Return whether a data set has all columns of a role."""
    return set(names_in({role: columns[role]})) <= set(dataset.column_names)


def spelled_as_train(dataset: "Dataset", columns: Columns, split: str, note: Note) -> "Dataset":
    """Rename the columns of a split that differ from train's by capitals alone.

    Args:
        columns: role -> column of train.
        note: is called with the columns that were renamed.
    """
    wanted = [name for name in names_in(columns) if name not in dataset.column_names]
    free = [name for name in dataset.column_names if name not in names_in(columns)]
    renamed = {}
    for name in wanted:
        same = [column for column in free if column.lower() == name.lower()]
        if len(same) == 1:
            renamed[same[0]] = name
    if not renamed:
        return dataset
    shown = ", ".join(f"'{column}' is train's '{name}'" for column, name in renamed.items())
    note(f"{split}: column {shown}")
    return dataset.rename_columns(renamed)


def with_fields(dataset: "Dataset", columns: Columns) -> "Dataset":
    """Add a column for each field of a struct that `columns` names by its path, `doc.body`."""
    from datasets import concatenate_datasets

    for name in names_in(columns):
        struct = name.partition(".")[0]
        is_struct = isinstance(dataset.features.get(struct), dict)
        if name not in dataset.column_names and is_struct:
            fields = dataset.select_columns([struct]).flatten()
            if name in fields.column_names:
                dataset = concatenate_datasets([dataset, fields.select_columns([name])], axis=1)
    return dataset


def select_roles(dataset: "Dataset", columns: Columns, split: str) -> "Dataset":
    """Select the columns of `columns` and rename each to its role.

    Nothing is copied, and no audio is decoded.

    Raises:
        DataError: the split lacks a column.
    """
    from datasets import Audio

    dataset = with_fields(dataset, columns)
    available = dataset.column_names
    for name in names_in(columns):
        if name not in available:
            raise DataError(
                f"{split}: no column '{name}', which train has; {suggest(name, available)}"
            )
    dataset = dataset.select_columns(names_in(columns))
    for role, column in columns.items():
        if isinstance(column, list):
            merge = MERGES.get(role, merge_lists)
            dataset = merge(dataset, column, split, role)
    # one call for all: two columns may swap their names
    single = {c if isinstance(c, str) else merged_name(role): role for role, c in columns.items()}
    dataset = dataset.rename_columns(single)
    for role, feature in dataset.features.items():
        if isinstance(feature, Audio):  # the tasks decode; `datasets` would need torchcodec
            dataset = dataset.cast_column(role, replace(feature, decode=False))
    return dataset
