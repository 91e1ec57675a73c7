"""Folds of train that share no group and, as far as that goes, no example."""

import numpy as np

from pipelines.core.errors import DataError
from pipelines.data import folds, group_draws
from pipelines.data.dataset import Note
from pipelines.data.rows import Groups, Rows

MAX_UNITED_SHARE = 0.5  # of train that groups may have which share examples


def deal(
    train: Rows, values: np.ndarray, repeats: np.ndarray, num_folds: int, seed: int, note: Note
) -> np.ndarray:
    """Deal the rows of train to folds, those of a group together, and those that repeat.

    Args:
        values: (rows,) the value of each row to draw in proportion.
        repeats: (rows,) equal in rows with the same inputs.
        num_folds: fewer are dealt where rows were left out since they were counted, or where
            there are fewer different examples: one that is in two folds is no test.
        note: is called with what is not kept together, and if folds are fewer.

    Returns:
        (rows,) the fold of each row, from 0.

    Raises:
        DataError: of train a single example, or group, is left.
    """
    groups = train.groups
    num_units = groups.count if groups else len(np.unique(repeats))
    if num_units < 2:
        unit = f"group by '{groups.column}'" if groups else "example"
        raise DataError(
            f"train: of one {unit} there are no folds: none is left to score a model by; add others"
        )
    if num_units < min(num_folds, len(train)):
        units_of = f"groups by '{groups.column}'" if groups else "different examples"
        note(f"folds: {num_units}, since train has no more {units_of}")
    num_folds = min(num_folds, num_units)
    together = units(train, repeats, num_folds, note)
    if not groups:
        return folds.deal(values, together, num_folds, seed)
    return group_draws.deal(values, together, [1 / num_folds] * num_folds, seed)


def units(train: Rows, repeats: np.ndarray, num_folds: int, note: Note) -> np.ndarray:
    """Return which rows are dealt together.

    Args:
        repeats: (rows,) equal in rows with the same inputs.
        note: is called with what is not kept together.

    Returns:
        (rows,) equal in rows that are in one fold.
    """
    groups = train.groups
    if not groups:
        return repeats
    united = _united(groups, repeats, num_folds)
    if united is not None:
        return united
    note(
        f"folds: many groups by '{groups.column}' have equal examples, which are therefore in "
        "several folds; all rows of a group are in one"
    )
    return groups.numbers


def _united(groups: Groups, repeats: np.ndarray, num_folds: int) -> np.ndarray | None:
    """Unite groups that have examples in common.

    Returns:
        (rows,) equal in rows that belong together; None if too few parts are left, since examples
        such as "yes" are in most groups.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, group_of_row = np.unique(groups.numbers, return_inverse=True)
    _, example_of_row = np.unique(repeats, return_inverse=True)
    num_nodes = groups.count + example_of_row.max() + 1
    # an edge from the group of each row to its example
    edges = group_of_row, groups.count + example_of_row
    graph = coo_array((np.ones(len(repeats)), edges), shape=(num_nodes, num_nodes))
    _, components = connected_components(graph, directed=False)
    united = np.asarray(components[group_of_row])
    sizes = np.bincount(united)
    is_fit = sizes.max() <= max(groups.sizes.max(), MAX_UNITED_SHARE * len(united))
    return united if is_fit and np.count_nonzero(sizes) >= num_folds else None
