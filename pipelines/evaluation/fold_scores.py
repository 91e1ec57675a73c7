"""Scores of folds: of each alone, and what each adds to the score of all (the jackknife)."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.evaluation.scorer import Scorer, take

if TYPE_CHECKING:
    from pipelines.tasks import ModelOutputs, Predictions, Targets


@dataclass(frozen=True)
class FoldScores:
    """The main score of rows, by the fold that each is in.

    Attributes:
        folds: (examples,) the fold of each.
    """

    scorer: Scorer
    predictions: "Predictions"
    references: "Targets"
    outputs: "ModelOutputs"
    folds: np.ndarray

    @property
    def of_each(self) -> tuple[float, ...]:
        """The score of each fold."""
        return tuple(self.over([fold]) for fold in self._numbers)

    @property
    def pseudo_values(self) -> tuple[float, ...]:
        """What each fold adds to the score of all."""
        return pseudo_values(self.over, self._numbers)

    def over(self, folds: Sequence[int]) -> float:
        """Score the rows of some folds together."""
        rows = np.flatnonzero(np.isin(self.folds, folds))
        outputs = {name: take(column, rows) for name, column in self.outputs.items()}
        # a fold of few rows may lack a class, of which some metrics warn
        with warnings.catch_warnings(action="ignore"):
            return self.scorer.main_score(
                take(self.predictions, rows), take(self.references, rows), outputs
            )

    @property
    def _numbers(self) -> list[int]:
        return np.unique(self.folds).tolist()


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
