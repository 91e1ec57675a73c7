"""Columns that a task recognizes by their names, one by one or as a layout of several."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.tasks import ColumnLayout

Column = str | list[str]  # several are merged into one
Columns = dict[str, Column]  # role -> column
Roles = Mapping[str, tuple[str, ...]]  # Task.roles: role -> its usual column names


def candidates(available: list[str], usual: Sequence[str], *, may_be_list: bool) -> list[Column]:
    """List the available columns with a usual name, likeliest first.

    Capitals count only in a tie.
    """
    matches: list[Column] = [name for name in usual if name in available]
    matches += [
        column
        for name in usual
        for column in available
        if column != name and column.lower() == name.lower()
    ]
    # one column of lists is more explicit than a series of columns, and comes first
    if may_be_list:
        matches += filter(None, (_numbered(available, name) for name in usual))
    return matches


def in_layout(
    available: list[str], layout: "ColumnLayout", usual: Mapping[str, Sequence[str]]
) -> Columns | None:
    """Find all columns of a layout, in any case.

    Args:
        usual: role -> its usual names.

    Returns:
        role -> column; None if one is not available, or a likelier column is, such as `text`
        beside the pair of `premise` and `hypothesis`.
    """
    columns: Columns = {}
    for role, names in layout.columns.items():
        wanted = [names] if isinstance(names, str) else list(names)
        present = [candidates(available, [name], may_be_list=False) for name in wanted]
        if not all(present):
            return None
        chosen = [str(first) for (first, *_) in present]
        columns[role] = chosen[0] if isinstance(names, str) else chosen
    taken = names_in(columns)
    for role in columns:
        likeliest = candidates(available, usual[role], may_be_list=False)[:1]
        if any(column not in taken for column in likeliest):
            return None
    return columns


def names_in(columns: Columns) -> list[str]:
    """List the names of all columns, those in lists included."""
    names: list[str] = []
    for column in columns.values():
        names += [column] if isinstance(column, str) else column
    return names


def _numbered(available: list[str], prefix: str) -> list[str]:
    """List `ending0`, `ending1`…, in the order of their numbers."""
    numbers = {name: name.removeprefix(prefix) for name in available if name.startswith(prefix)}
    names = [name for name, number in numbers.items() if number.isdecimal()]
    return sorted(names, key=lambda name: int(numbers[name]))
