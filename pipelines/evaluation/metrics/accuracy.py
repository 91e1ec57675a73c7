"""Share of correct predictions; for multi-label, of examples with every label right."""

from typing import Any

import evaluate
from sklearn.metrics import accuracy_score

from pipelines.evaluation.metrics import info


class Accuracy(evaluate.Metric):
    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": accuracy_score(references, predictions)}
