"""Precision over all thresholds, weighted by the recall that each adds; fair to rare classes."""

from typing import Any

import evaluate
from sklearn.metrics import average_precision_score

from pipelines.evaluation.metrics._scores import class_scores, score_info


class AveragePrecision(evaluate.Metric):
    """Average precision of scikit-learn, from 0 to 1; of two classes, that of the second.

    A class that no example has is left out of the mean. If there is no other, it is 0.
    """

    greater_is_better = True
    problem_types = ("single_label_classification", "multi_label_classification")

    def _info(self) -> evaluate.MetricInfo:
        return score_info(__doc__, self.config_name)

    def _compute(
        self, prediction_scores: Any, references: Any, average: str = "macro"
    ) -> dict[str, float]:
        scores = class_scores(prediction_scores, references)
        value = scores.mean(average_precision_score, average, scores.has_positive, 0.0)
        return {"average_precision": value}
