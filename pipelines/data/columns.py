"""Columns of a data set -> columns called by their role in the task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest

if TYPE_CHECKING:
    from datasets import Dataset

Roles = Mapping[str, tuple[str, ...]]
Columns = dict[str, str | list[str]]


def choose(there: list[str], roles: Roles, said: Columns) -> tuple[Columns, Columns]:
    """(role -> column, the part of it that was guessed from the obvious names).

    A recipe that names one input names them all: a role that may be missing is looked for only
    where no input is named.

    Raises:
        DataError: an unknown role, no such column, a column in two roles, nothing for a role.
    """
    known = {role.rstrip("?+") for role in roles}
    for role in said:
        if role not in known:
            raise DataError(f"data.columns: unknown role '{role}'; {suggest(role, known)}")
    _check_said(there, said, {"label", *(role[:-1] for role in roles if role.endswith("+"))})
    taken = set(_names(said))
    guessed: Columns = {}
    for role, obvious in roles.items():
        mark, role = role[-1], role.rstrip("?+")
        if role in said or (mark == "?" and said.keys() - {"label"}):
            continue
        free = [name for name in there if name not in taken]
        candidates: list[str | list[str]] = [name for name in obvious if name in free]
        if mark == "+":
            candidates += filter(None, (_numbered(free, name) for name in obvious))
        if candidates:
            guessed[role] = candidates[0]
            taken.update(_names({role: candidates[0]}))
        elif mark != "?":
            raise DataError(
                f"no column is obviously the {role} (looked for {', '.join(obvious)}); "
                f"say data.columns.{role}=…; columns: {', '.join(there)}"
            )
    return {**said, **guessed}, guessed


def _numbered(there: list[str], name: str) -> list[str]:
    """ending0, ending1…, in the order of their numbers."""
    found = [column for column in there if column.startswith(name)]
    found = [column for column in found if column.removeprefix(name).isdecimal()]
    return sorted(found, key=lambda column: int(column.removeprefix(name)))


def _check_said(there: list[str], said: Columns, several: set[str]) -> None:
    names = _names(said)
    for role, column in said.items():
        if isinstance(column, list) and role not in several:
            told = " and ".join(f"`{role}`" for role in sorted(several))
            raise DataError(f"data.columns.{role}: only {told} may be a list of columns")
    for name in names:
        if name not in there:
            raise DataError(f"data.columns: train has no column '{name}'; {suggest(name, there)}")
        if names.count(name) > 1:
            raise DataError(f"data.columns: '{name}' stands in two roles")


def _names(columns: Columns) -> list[str]:
    return [n for c in columns.values() for n in (c if isinstance(c, list) else [c])]


def has(split: "Dataset", columns: Columns, role: str) -> bool:
    """Whether a split has what plays a role."""
    return set(_names({role: columns[role]})) <= set(split.column_names)


def by_role(split: "Dataset", columns: Columns, part: str) -> "Dataset":
    """The columns that play a role, under its name; nothing is copied, no sound decoded.

    Raises:
        DataError: the split lacks a column.
    """
    from datasets import Audio

    there = split.column_names
    for name in _names(columns):
        if name not in there:
            raise DataError(f"{part}: no column '{name}', which train has; {suggest(name, there)}")
    split = split.select_columns(_names(columns))
    for role, column in columns.items():
        if isinstance(column, list):
            join = _join if role == "label" else _gather
            split = join(split, column, part, role)
    names = {column: role for role, column in columns.items() if isinstance(column, str)}
    split = split.rename_columns(names)
    for role, feature in split.features.items():
        if isinstance(feature, Audio):  # decoding is ours: `datasets` needs torchcodec for it
            split = split.cast_column(role, replace(feature, decode=False))
    return split


def _gather(split: "Dataset", names: list[str], part: str, role: str) -> "Dataset":
    """Several columns -> one column of lists."""
    rows = zip(*(split[name][:] for name in names), strict=True)
    return split.remove_columns(names).add_column(role, [list(row) for row in rows])


def _join(split: "Dataset", names: list[str], part: str, role: str) -> "Dataset":
    """One column of 0 and 1 per class -> one column: the list of classes of each row."""
    from datasets import ClassLabel, List

    rows: list[list[int]] = [[] for _ in range(len(split))]
    for i, name in enumerate(names):
        for row, value in enumerate(split[name][:]):
            if value not in (0, 1):
                raise DataError(f"{part}, row {row}: column '{name}' is {value!r}; expected 0 or 1")
            if value:
                rows[row].append(i)
    feature = List(ClassLabel(names=names))
    return split.remove_columns(names).add_column(role, rows, feature=feature)
