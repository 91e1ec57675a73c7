"""Share of the positive predictions that are correct."""

from typing import Any

import evaluate
from sklearn.metrics import precision_score

from pipelines.evaluation.metrics import averaging, info


class Precision(evaluate.Metric):
    """Precision of scikit-learn, from 0 to 1; `average` as `averaging` explains."""

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64", self.config_name)

    def _compute(
        self,
        predictions: Any,
        references: Any,
        average: str = "auto",
        pos_label: int | None = None,
        num_labels: int = 2,
    ) -> dict[str, float]:
        options = averaging(average, pos_label, num_labels, self.config_name)
        return {"precision": precision_score(references, predictions, **options)}
