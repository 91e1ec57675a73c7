"""Mean over the classes of the share of their examples that are right; fair to rare ones."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import recall_score

from pipelines.evaluation.metrics import info


class BalancedAccuracy(evaluate.Metric):
    """Balanced accuracy of scikit-learn, from 0 to 1, over the classes that the examples have."""

    greater_is_better = True
    problem_types = ("single_label_classification",)

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        # by its definition: balanced_accuracy_score warns of a predicted class that no example has
        classes = np.unique(references)
        recall = recall_score(references, predictions, labels=classes, average="macro")
        return {"balanced_accuracy": float(recall)}
