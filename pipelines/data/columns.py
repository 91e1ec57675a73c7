"""Columns of a data set -> columns called by their role in the task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.errors import DataError, suggest

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
    known = {role.removesuffix("?") for role in roles}
    for role in said:
        if role not in known:
            raise DataError(f"data.columns: unknown role '{role}'; {suggest(role, known)}")
    _check_said(there, said)
    taken = set(_names(said))
    guessed: Columns = {}
    for role, obvious in roles.items():
        optional, role = role.endswith("?"), role.removesuffix("?")
        if role in said or (optional and said.keys() - {"label"}):
            continue
        column = next((name for name in obvious if name in there and name not in taken), None)
        if column:
            guessed[role] = column
            taken.add(column)
        elif not optional:
            raise DataError(
                f"no column is obviously the {role} (looked for {', '.join(obvious)}); "
                f"say data.columns.{role}=…; columns: {', '.join(there)}"
            )
    return {**said, **guessed}, guessed


def _check_said(there: list[str], said: Columns) -> None:
    names = _names(said)
    for role, column in said.items():
        if isinstance(column, list) and role != "label":
            raise DataError(f"data.columns.{role}: only `label` may be a list of columns")
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
    label = columns.get("label")
    if isinstance(label, list):
        split = _join(split, label, part)
    names = {column: role for role, column in columns.items() if isinstance(column, str)}
    split = split.rename_columns(names)
    for role, feature in split.features.items():
        if isinstance(feature, Audio):  # decoding is ours: `datasets` needs torchcodec for it
            split = split.cast_column(role, replace(feature, decode=False))
    return split


def _join(split: "Dataset", names: list[str], part: str) -> "Dataset":
    """One column of 0 and 1 per class -> one column `label`: the list of classes of each row."""
    from datasets import ClassLabel, List

    rows: list[list[int]] = [[] for _ in range(len(split))]
    for i, name in enumerate(names):
        for row, value in enumerate(split[name][:]):
            if value not in (0, 1):
                raise DataError(f"{part}, row {row}: column '{name}' is {value!r}; expected 0 or 1")
            if value:
                rows[row].append(i)
    feature = List(ClassLabel(names=names))
    return split.remove_columns(names).add_column("label", rows, feature=feature)
