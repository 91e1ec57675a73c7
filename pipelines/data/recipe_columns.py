"""Checks of the columns that a recipe names."""

from pipelines.core.errors import DataError, listed, suggest
from pipelines.data.merged_columns import MERGES
from pipelines.data.usual_columns import Columns, Roles, names_in


def check(available: list[str], roles: Roles, explicit: Columns) -> None:
    """Check that the task has each role, and train each column.

    Args:
        available: the columns of train.
        explicit: role -> column as the recipe has it.

    Raises:
        DataError: an unknown role, no such column, a column in two roles, or several in one role
            that takes one.
    """
    known = {role.rstrip("?+") for role in roles}
    for role in explicit:
        if role not in known:
            raise DataError(f"data.columns: unknown role '{role}'; {suggest(role, known)}")
    lists = {role.rstrip("?+") for role in roles if role.endswith("+")}
    _check_columns(available, explicit, {"label", *lists, *(known & MERGES.keys())})


def _check_columns(available: list[str], explicit: Columns, list_roles: set[str]) -> None:
    """Refuse columns of the recipe that do not exist or cannot be combined."""
    names = names_in(explicit)
    for role, column in explicit.items():
        if isinstance(column, list) and role not in list_roles:
            known = " and ".join(f"`{name}`" for name in sorted(list_roles))
            raise DataError(
                f"data.columns.{role}: got several columns; only {known} may be a list of columns"
            )
    missing = [name for name in names if name not in available]
    if len(missing) > 1:
        shown = ", ".join(map(repr, missing))
        raise DataError(f"data.columns: train has no columns {shown}; known: {listed(available)}")
    if missing:
        hint = suggest(missing[0], available)
        raise DataError(f"data.columns: train has no column '{missing[0]}'; {hint}")
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"data.columns: '{name}' has two roles; give each role a column of its own"
            )
