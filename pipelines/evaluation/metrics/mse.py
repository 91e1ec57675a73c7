"""Mean squared error, in the square of the target's unit."""

from typing import Any

import evaluate
from sklearn.metrics import mean_squared_error

from pipelines.evaluation.metrics import info


class Mse(evaluate.Metric):
    """Mean squared error of scikit-learn, from 0."""

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "float64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"mse": mean_squared_error(references, predictions)}
