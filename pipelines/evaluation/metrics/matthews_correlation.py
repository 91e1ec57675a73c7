"""Correlation of predicted and true classes, fair to rare ones; multi-label: mean of the labels."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import matthews_corrcoef

from pipelines.evaluation.metrics import info


class MatthewsCorrelation(evaluate.Metric):
    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        columns = zip(_columns(references), _columns(predictions), strict=True)
        return {"matthews_correlation": float(np.mean([_coefficient(*pair) for pair in columns]))}


def _columns(values: Any) -> np.ndarray:
    """One row for each label; class ids are one label."""
    return np.atleast_2d(np.asarray(values).T)


def _coefficient(references: np.ndarray, predictions: np.ndarray) -> float:
    """scikit-learn's, without its warning where only one class occurs (0 by convention)."""
    if len(np.unique([references, predictions])) == 1:
        return 0.0
    return matthews_corrcoef(references, predictions)
