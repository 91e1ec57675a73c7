"""Folds of train, which stand in for a validation split where rows are few.

A tenth of 48 rows is 5: what they choose is chance. Every row has its turn in folds, each scored by
what was solved on the others, and nothing is taken away from train.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipelines.core.errors import DataError
from pipelines.data.rows import Groups, Rows
from pipelines.data.samples import Sampler, limit
from pipelines.data.splits import SplitAssignment

if TYPE_CHECKING:
    from pipelines.data.sources import Source

DEFAULT_FOLDS = 5


def count(
    train: Rows, assignment: SplitAssignment, source: "Source", draw: Sampler, max_rows: int
) -> int:
    """Count the folds of train that can stand in for a validation split; 0: there is one.

    Args:
        train: its rows, of which none are set aside for validation.
        max_rows: of train, up to which there are folds where the recipe leaves it open; 0: there
            are none.

    Raises:
        DataError: the recipe requests folds, and there is a validation split, or too few rows or
            groups.
    """
    if not max_rows:
        return 0
    num_rows = min(len(train), source.limit.train or len(train))
    # groups of which the limit leaves no row are not there; it is noted where it is applied
    quiet = replace(draw, note=lambda _: None)
    groups = train.groups and limit("train", train, source.limit.train, quiet).groups
    return _count(source.folds, assignment, num_rows, groups, max_rows)


def _count(
    requested: Literal["auto"] | int,
    assignment: SplitAssignment,
    num_rows: int,
    groups: Groups | None,
    max_rows: int,
) -> int:
    """Return how many folds stand in for a validation split; 0: there is one, or a share is cut."""
    if "validation" not in assignment.guessed or "validation" in assignment.names:
        if requested not in ("auto", 0):
            name = assignment.names.get("validation") or assignment.shares["validation"]
            raise DataError(
                f"data.folds: {requested}: there is a validation split ({name}), which chooses; "
                "leave data.folds out"
            )
        return 0
    max_folds = groups.count if groups else num_rows
    if requested == "auto":
        folds = min(DEFAULT_FOLDS, max_folds) if num_rows <= max_rows else 0
        return folds if folds > 1 else 0
    if requested > max_folds:
        units = f"groups by '{groups.column}' (data.group)" if groups else "examples"
        raise DataError(
            f"data.folds: {requested}: train has {max_folds:,} {units}, and every fold needs one; "
            f"expected at most {max_folds:,}, or auto"
        )
    return requested


def instead_of_validation(
    assignment: SplitAssignment, folds: int, draw: Sampler
) -> SplitAssignment:
    """Leave all of train to train: its folds stand in for a validation split."""
    draw.note(
        f"no validation split: {folds} folds of train choose, and scores on validation are those "
        "of rows out of fold; nothing is set aside (data.folds)"
    )
    return assignment.without_share("validation")


def deal(values: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Deal rows to folds so that each value, and each fold, has its proportion.

    scikit-learn's StratifiedKFold warns of, or refuses, classes of fewer rows than folds.

    Args:
        values: (rows,) the value of each row to draw in proportion.
        groups: (rows,) of equal ones, which are at least as many as folds, all rows are in one
            fold; those of `data.group` are for `group_folds`.

    Returns:
        (rows,) the fold of each row, from 0.
    """
    _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
    # groups of a value lie together, in random order, and go to one fold after the other
    order = np.lexsort((np.random.default_rng(seed).random(len(firsts)), values[firsts]))
    dealt = np.empty(len(firsts), dtype=int)
    dealt[order] = np.arange(len(firsts)) % folds
    return dealt[members]
