"""How a score of folds varies: the jackknife, and the standard error of a mean."""

from collections.abc import Callable, Sequence
from statistics import stdev


def pseudo_values(score: Callable[[list[int]], float], folds: Sequence[int]) -> tuple[float, ...]:
    """Say of each fold what it adds to the score of all (Tukey 1958; Efron 1982).

    Where a score is a mean over rows, and folds are equally large, these are the scores of the
    folds. Of other metrics, such as F1 or a correlation, the score of a fold of few rows says
    nothing, and of one row nothing at all; these still vary as the score of all does.

    Args:
        score: scores the rows of some folds together.

    Returns:
        (folds,) values; their deviation, by the root of their number, is the standard error.
    """
    num_folds, whole = len(folds), score([*folds])
    if num_folds < 2:
        return (whole,)
    values = []
    for fold in folds:
        rest = score([other for other in folds if other != fold])
        values.append(num_folds * whole - (num_folds - 1) * rest)
    return tuple(values)


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of two values or more."""
    return stdev(values) / len(values) ** 0.5
