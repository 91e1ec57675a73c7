"""Linear correlation of predicted and true numbers; 0 for a constant."""

from typing import Any

import evaluate
from scipy.stats import pearsonr

from pipelines.evaluation.metrics import correlation, info


class Pearson(evaluate.Metric):
    """Pearson correlation of scipy, from -1 to 1."""

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "float64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"pearson": correlation(pearsonr, predictions, references)}
