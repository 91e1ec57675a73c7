"""Shared by the metrics of scores: their forms, and means over classes that can be scored.

Scores have the forms of `evaluate`'s roc_auc, by config_name:

    default      (examples,) probabilities of the second of two classes; ids of the right classes
    multiclass   (examples, classes) probabilities; ids of the right classes
    multilabel   (examples, labels) probabilities; 0/1 rows
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.evaluation.metrics import MULTICLASS, MULTILABEL

if TYPE_CHECKING:
    from evaluate import MetricInfo

AVERAGES = ("macro", "micro", "weighted")


def score_info(summary: str | None, config_name: str) -> "MetricInfo":
    """Describe a metric that takes `prediction_scores` instead of predictions."""
    from datasets import Features, List, Value
    from evaluate import MetricInfo

    score, reference = Value("float64"), Value("int64")
    features = Features(
        {
            "prediction_scores": List(score) if config_name in (MULTICLASS, MULTILABEL) else score,
            "references": List(reference) if config_name == MULTILABEL else reference,
        }
    )
    return MetricInfo(description=summary or "", citation="", features=features)


def decisions(scores: Any, references: Any, config_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Make choices of one class each: ((decisions, classes) probabilities, ids of the right ones).

    Of several labels, each label of each example is a decision between no and yes.
    """
    rows, right = np.asarray(scores, float), np.asarray(references, int)
    if config_name == MULTILABEL:
        rows, right = rows.ravel(), right.ravel()
    return (rows if rows.ndim == 2 else np.stack([1 - rows, rows], axis=1)), right


@dataclass(frozen=True, eq=False)
class ClassScores:
    """One column of scores for each class, beside whether it is the right one.

    Attributes:
        scores: (examples, classes).
        is_right: (examples, classes) of 0 and 1.
    """

    scores: np.ndarray
    is_right: np.ndarray

    @property
    def has_positive(self) -> np.ndarray:
        """(classes,) whether an example is of the class."""
        return np.asarray(self.is_right.any(axis=0))

    @property
    def has_both(self) -> np.ndarray:
        """(classes,) whether an example is of the class, and another one is not."""
        return self.has_positive & ~self.is_right.all(axis=0)

    def mean(
        self,
        function: Callable[..., Any],
        average: str,
        scorable: np.ndarray,
        otherwise: float,
    ) -> float:
        """Average `function(is_right, scores)` over the `scorable` classes.

        Args:
            average: macro; weighted, by the number of examples of a class; or micro, as if all
                columns were one.
            scorable: (classes,) bool.
            otherwise: the result where no class is scorable.

        Raises:
            ValueError: `average` is none of these.
        """
        if average not in AVERAGES:
            raise ValueError(f"average is {average!r}; expected {', '.join(AVERAGES)}")
        if not scorable.any():
            return otherwise
        if average == "micro":
            return float(function(self.is_right.ravel(), self.scores.ravel()))
        classes = np.flatnonzero(scorable)
        each = [function(self.is_right[:, i], self.scores[:, i]) for i in classes]
        weights = self.is_right[:, classes].sum(axis=0) if average == "weighted" else None
        return float(np.average(each, weights=weights))


def class_scores(scores: Any, references: Any) -> ClassScores:
    """Arrange scores and references of any form by class; of two classes, the second one."""
    columns, right = np.asarray(scores, float), np.asarray(references, int)
    if columns.ndim == 1:
        return ClassScores(columns[:, None], right[:, None])
    if right.ndim == 1:
        right = (right[:, None] == np.arange(columns.shape[1])).astype(int)
    return ClassScores(columns, right)
