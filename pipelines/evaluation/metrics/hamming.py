"""Share of wrong labels: of all labels of all examples, or of single classes."""

from typing import Any

import evaluate
from sklearn.metrics import hamming_loss

from pipelines.evaluation.metrics import info


class Hamming(evaluate.Metric):
    """Hamming loss of scikit-learn, from 0 to 1: 0 is perfect."""

    greater_is_better = False
    problem_types = ("single_label_classification", "multi_label_classification")

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"hamming": float(hamming_loss(references, predictions))}
