"""Mean absolute error relative to the target; useless where targets are near 0."""

from typing import Any

import evaluate
from sklearn.metrics import mean_absolute_percentage_error

from pipelines.evaluation.metrics import info


class Mape(evaluate.Metric):
    """Mean absolute percentage error of scikit-learn, from 0: 0.1 is an error of 10 percent."""

    greater_is_better = False
    problem_types = ("regression",)

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "float64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"mape": mean_absolute_percentage_error(references, predictions)}
