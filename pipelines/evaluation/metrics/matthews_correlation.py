"""Correlation of predicted and true classes, fair to rare ones; multi-label: mean of the labels."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import matthews_corrcoef

from pipelines.evaluation.metrics import info


class MatthewsCorrelation(evaluate.Metric):
    """Matthews correlation of scikit-learn, from -1 to 1 (Matthews, BBA 405(2), 1975)."""

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        # scikit-learn has no multi-label form
        columns = zip(_columns(references), _columns(predictions), strict=True)
        return {"matthews_correlation": float(np.mean([_coefficient(*pair) for pair in columns]))}


def _columns(values: Any) -> np.ndarray:
    """Arrange as (labels, examples); class ids count as one label."""
    return np.atleast_2d(np.asarray(values).T)


def _coefficient(references: np.ndarray, predictions: np.ndarray) -> float:
    """Compute the coefficient; 0 by convention if only one class occurs."""
    # scikit-learn gives 0, too, but with a warning
    if len(np.unique([references, predictions])) == 1:
        return 0.0
    return matthews_corrcoef(references, predictions)
