"""Area under the ROC curve: the share of pairs, one right and one wrong, in the right order."""

from typing import Any

import evaluate
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.metrics._scores import class_scores, score_info


class RocAuc(evaluate.Metric):
    """ROC AUC of scikit-learn, from 0 to 1; of more than two classes, each against the others.

    A class that every example has, or none, has no curve: it is left out of the mean. If no class
    has one, the area is 0.5, as by chance.
    """

    greater_is_better = True
    problem_types = ("single_label_classification", "multi_label_classification")

    def _info(self) -> evaluate.MetricInfo:
        return score_info(__doc__, self.config_name)

    def _compute(
        self, prediction_scores: Any, references: Any, average: str = "macro"
    ) -> dict[str, float]:
        scores = class_scores(prediction_scores, references)
        return {"roc_auc": scores.mean(roc_auc_score, average, scores.has_both, 0.5)}
