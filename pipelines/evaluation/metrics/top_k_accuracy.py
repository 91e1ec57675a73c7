"""Share of the examples whose right class is among the k most likely ones."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import top_k_accuracy_score

from pipelines.evaluation.metrics._scores import decisions, score_info


class TopKAccuracy(evaluate.Metric):
    """Top-k accuracy of scikit-learn, from 0 to 1; `k` is less than the number of classes."""

    greater_is_better = True
    problem_types = ("single_label_classification",)

    def _info(self) -> evaluate.MetricInfo:
        return score_info(__doc__, self.config_name)

    def _compute(self, prediction_scores: Any, references: Any, k: int = 2) -> dict[str, float]:
        rows, right = decisions(prediction_scores, references, self.config_name)
        num_classes = rows.shape[1]
        if isinstance(k, bool) or not isinstance(k, int) or not 0 < k < num_classes:
            raise ValueError(
                f"k is {k!r}; expected a whole number from 1 to {num_classes - 1}, less than the "
                f"{num_classes} classes, or every answer is right"
            )
        # two columns are one decision, which scikit-learn takes as the scores of the second class
        scores, classes = (rows[:, 1] if num_classes == 2 else rows), np.arange(num_classes)
        value = top_k_accuracy_score(right, scores, k=k, labels=classes)
        return {"top_k_accuracy": float(value)}
