"""Columns of a data set -> columns named by their role in the task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest

if TYPE_CHECKING:
    from datasets import Dataset

Roles = Mapping[str, tuple[str, ...]]  # Task.roles: role -> its usual column names
# a column of 0 and 1 may also be read as text
INDICATORS: Mapping[object, bool] = {0: False, 1: True, "0": False, "1": True}
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
    inputs = [role for role in missing if role != "label"]
    free = [name for name in available if name not in taken]
    if len(available) == 2 and len(missing) == len(free) == 1 and inputs:
        guessed[inputs[0].rstrip("+")] = free[0]
    elif missing:
        wanted = " and ".join(
            f"the {role.rstrip('+')} (looked for {', '.join(roles[role])})" for role in missing
        )
        keys = " ".join(f"data.columns.{role.rstrip('+')}=…" for role in missing)
        raise DataError(
            f"no column is obviously {wanted}; set {keys}; columns: {', '.join(available)}"
        )
    return {**explicit, **guessed}, guessed


def check_readable(unreadable: Mapping[str, str], roles: Roles, explicit: Columns) -> None:
    """Refuse a column that the source had to leave out, if the task would use it.

    Args:
        unreadable: column -> why it was left out.

    Raises:
        DataError: the recipe names it, or it has a usual name of a role that the recipe leaves out.
    """
    used = {*_names(explicit)}
    for role, usual in roles.items():
        if role.rstrip("?+") not in explicit:
            used.update(usual)
    for name, reason in unreadable.items():
        if name in used:
            raise DataError(reason)


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
            merge = _merge_classes if role == "label" else _merge_lists
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


def _merge_lists(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Merge several columns into one column of lists."""
    rows = zip(*(dataset[name][:] for name in names), strict=True)
    return dataset.remove_columns(names).add_column(role, [list(row) for row in rows])


def _merge_classes(dataset: "Dataset", names: list[str], split: str, role: str) -> "Dataset":
    """Merge one 0/1 column per class into one column: the list of classes of each row.

    Of an empty cell nothing but a gap is known: the row is left for the checks of labels.
    """
    from datasets import ClassLabel, List

    rows: list[list[int | None]] = [[] for _ in range(len(dataset))]
    for i, name in enumerate(names):
        for row, value in enumerate(dataset[name][:]):
            if value in (None, "") or value != value:  # only NaN differs from itself
                rows[row].append(None)
            elif value not in INDICATORS:
                raise DataError(
                    f"{split}, row {row}: column '{name}' is {value!r}; expected 0 or 1"
                )
            elif INDICATORS[value]:
                rows[row].append(i)
    feature = List(ClassLabel(names=names))
    return dataset.remove_columns(names).add_column(role, rows, feature=feature)
