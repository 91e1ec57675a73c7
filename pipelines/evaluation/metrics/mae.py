"""Mean absolute error, in the target's unit."""

from typing import Any

import evaluate
from sklearn.metrics import mean_absolute_error

from pipelines.evaluation.metrics import info


class Mae(evaluate.Metric):
    """Mean absolute error of scikit-learn, from 0."""

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "float64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"mae": mean_absolute_error(references, predictions)}
