"""Scores of folds: of each alone, and what each adds to the score of all (`core.jackknife`)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.jackknife import pseudo_values
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
