"""Share of correct predictions; for multi-label, of examples with every label right."""

from typing import Any

import evaluate
from sklearn.metrics import accuracy_score

from pipelines.evaluation.metrics import info


class Accuracy(evaluate.Metric):
    """Accuracy of scikit-learn, from 0 to 1; the "subset accuracy" for multi-label."""

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": accuracy_score(references, predictions)}
