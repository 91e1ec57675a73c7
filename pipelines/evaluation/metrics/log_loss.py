"""Mean negative log-likelihood of the right classes, in nats; for multi-label, of each label."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import log_loss

from pipelines.evaluation.metrics._scores import decisions, score_info


class LogLoss(evaluate.Metric):
    """Log loss of scikit-learn, from 0; probabilities of 0 are clipped, to 36 nats at the most."""

    greater_is_better = False
    problem_types = ("single_label_classification", "multi_label_classification")

    def _info(self) -> evaluate.MetricInfo:
        return score_info(__doc__, self.config_name)

    def _compute(self, prediction_scores: Any, references: Any) -> dict[str, float]:
        rows, right = decisions(prediction_scores, references, self.config_name)
        # all classes, whichever occur
        return {"log_loss": log_loss(right, rows, labels=np.arange(rows.shape[1]))}
