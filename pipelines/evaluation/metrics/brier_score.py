"""Mean squared distance of the probabilities from the truth; for multi-label, of each label."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import brier_score_loss

from pipelines.evaluation.metrics._scores import decisions, score_info


class BrierScore(evaluate.Metric):
    """Brier score of scikit-learn: from 0 to 1, of more than two classes from 0 to 2."""

    greater_is_better = False
    problem_types = ("single_label_classification", "multi_label_classification")

    def _info(self) -> evaluate.MetricInfo:
        return score_info(__doc__, self.config_name)

    def _compute(self, prediction_scores: Any, references: Any) -> dict[str, float]:
        rows, right = decisions(prediction_scores, references, self.config_name)
        # all classes, whichever occur
        value = brier_score_loss(right, rows, labels=np.arange(rows.shape[1]))
        return {"brier_score": float(value)}
