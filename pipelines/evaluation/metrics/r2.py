"""Coefficient of determination: the share of the targets' variance that is predicted."""

from typing import Any

import evaluate
from sklearn.metrics import r2_score

from pipelines.evaluation.metrics import info


class R2(evaluate.Metric):
    """R squared of scikit-learn, up to 1, below 0 if worse than the mean; 0 for one example."""

    greater_is_better = True
    problem_types = ("regression",)

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "float64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        # one example has no variance, and NaN could not be compared
        return {"r2": r2_score(references, predictions) if len(references) > 1 else 0.0}
