"""Columns of a data set -> columns named by their role in the task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest
from pipelines.data.merged_columns import merge_classes, merge_lists

if TYPE_CHECKING:
    from datasets import Dataset

Roles = Mapping[str, tuple[str, ...]]  # Task.roles: role -> its usual column names
NUM_ROWS_READ, MIN_WORDS = 100, 3  # to see whether a column holds texts
Columns = dict[str, str | list[str]]  # role -> column, or several that are merged into one


def assign(available: list[str], roles: Roles, explicit: Columns) -> tuple[Columns, Columns]:
    """Assign a column to every role: those of the recipe first, then by the usual names.

    A recipe that names one input names them all: an optional role is guessed only if the recipe
    names no input.

    Args:
        available: the columns of train.
        explicit: role -> column as the recipe has it.

    Returns:
        (role -> column for all roles, the guessed ones among them).

    Raises:
        DataError: an unknown role, no such column, a column in two roles, or none for a role.
    """
    known = {role.rstrip("?+") for role in roles}
    for role in explicit:
        if role not in known:
            raise DataError(f"data.columns: unknown role '{role}'; {suggest(role, known)}")
    _check(available, explicit, {"label", *(role[:-1] for role in roles if role.endswith("+"))})
    taken = set(_names(explicit))
    guessed: Columns = {}
    missing: list[str] = []
    for marked_role, usual in roles.items():
        role, is_optional = marked_role.rstrip("?+"), marked_role.endswith("?")
        if role in explicit or (is_optional and explicit.keys() - {"label"}):
            continue
        # a column plays one role: "text" is not guessed again for a second input
        free = [name for name in available if name not in taken]
        candidates = _candidates(free, usual, may_be_list=marked_role.endswith("+"))
        if candidates:
            guessed[role] = candidates[0]
            taken.update(_names({role: candidates[0]}))
        elif not is_optional:
            missing.append(marked_role)
    free = [name for name in available if name not in taken]
    if len(available) == 2 and len(missing) == len(free) == 1 and missing != ["label"]:
        guessed[missing[0].rstrip("+")] = free[0]
    elif missing:
        raise _no_obvious_column({role: roles[role] for role in missing}, available)
    return {**explicit, **guessed}, guessed


def _no_obvious_column(missing: Roles, available: list[str]) -> DataError:
    """Name all roles that have no column, and the keys that give them one."""
    wanted = [f"the {role.rstrip('+')} (looked for {', '.join(missing[role])})" for role in missing]
    keys = [f"data.columns.{role.rstrip('+')}=…" for role in missing]
    return DataError(
        f"no column is obviously {' and '.join(wanted)}; set {' '.join(keys)}; "
        f"columns: {', '.join(available)}"
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
    for name in _names(columns):
        if name in unreadable and not (skip and name in dataset.column_names):
            advice = ""
            if name in dataset.column_names:
                advice = ", or leave out the rows that differ with data.on_bad_row=skip"
            raise DataError(unreadable[name] + advice)


def has_role(dataset: "Dataset", columns: Columns, role: str) -> bool:
    """Whether a data set has all columns of a role."""
    return set(_names({role: columns[role]})) <= set(dataset.column_names)


def unused_texts(dataset: "Dataset", columns: Columns) -> dict[str, str]:
    """Find columns of several words that no role takes: column -> its first such text."""
    from datasets import Value

    taken = set(_names(columns))
    texts = {}
    for name, feature in dataset.features.items():
        if name in taken or not isinstance(feature, Value) or feature.dtype != "string":
            continue
        # ids, dates and addresses are single words
        first = [text for text in dataset.select_columns([name])[:NUM_ROWS_READ][name] if text]
        long = [text for text in first if len(text.split()) >= MIN_WORDS]
        if len(long) > len(first) / 2:
            texts[name] = long[0]
    return texts


def select_roles(dataset: "Dataset", columns: Columns, split: str) -> "Dataset":
    """Select the columns of `columns` and rename each to its role.

    Nothing is copied, and no audio is decoded.

    Raises:
        DataError: the split lacks a column.
    """
    from datasets import Audio

    available = dataset.column_names
    for name in _names(columns):
        if name not in available:
            raise DataError(
                f"{split}: no column '{name}', which train has; {suggest(name, available)}"
            )
    dataset = dataset.select_columns(_names(columns))
    for role, column in columns.items():
        if isinstance(column, list):
            merge = merge_classes if role == "label" else merge_lists
            dataset = merge(dataset, column, split, role)
    # one call for all: two columns may swap their names
    dataset = dataset.rename_columns({c: role for role, c in columns.items() if isinstance(c, str)})
    for role, feature in dataset.features.items():
        if isinstance(feature, Audio):  # the tasks decode; `datasets` would need torchcodec
            dataset = dataset.cast_column(role, replace(feature, decode=False))
    return dataset


def _candidates(
    available: list[str], usual: tuple[str, ...], *, may_be_list: bool
) -> list[str | list[str]]:
    """The available columns with a usual name, likeliest first; capitals count only in a tie."""
    candidates: list[str | list[str]] = [name for name in usual if name in available]
    candidates += [
        column
        for name in usual
        for column in available
        if column != name and column.lower() == name.lower()
    ]
    # one column of lists is more explicit than a series of columns, and comes first
    if may_be_list:
        candidates += filter(None, (_numbered(available, name) for name in usual))
    return candidates


def _numbered(available: list[str], prefix: str) -> list[str]:
    """`ending0`, `ending1`…, in the order of their numbers."""
    numbers = {name: name.removeprefix(prefix) for name in available if name.startswith(prefix)}
    names = [name for name, number in numbers.items() if number.isdecimal()]
    return sorted(names, key=lambda name: int(numbers[name]))


def _check(available: list[str], explicit: Columns, list_roles: set[str]) -> None:
    """Refuse columns of the recipe that do not exist or cannot be combined."""
    names = _names(explicit)
    for role, column in explicit.items():
        if isinstance(column, list) and role not in list_roles:
            known = " and ".join(f"`{name}`" for name in sorted(list_roles))
            raise DataError(
                f"data.columns.{role}: got several columns; only {known} may be a list of columns"
            )
    for name in names:
        if name not in available:
            raise DataError(
                f"data.columns: train has no column '{name}'; {suggest(name, available)}"
            )
        if names.count(name) > 1:
            raise DataError(
                f"data.columns: '{name}' has two roles; give each role a column of its own"
            )


def _names(columns: Columns) -> list[str]:
    """The names of all columns, those in lists included."""
    names: list[str] = []
    for column in columns.values():
        names += [column] if isinstance(column, str) else column
    return names
