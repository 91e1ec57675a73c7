"""Agreement of predicted and true classes beyond chance; 0 if only one class occurs."""

from typing import Any

import evaluate
import numpy as np
from sklearn.metrics import cohen_kappa_score

from pipelines.evaluation.metrics import info


class CohenKappa(evaluate.Metric):
    """Cohen's kappa of scikit-learn, from -1 to 1.

    `weights`, linear or quadratic, counts a mistake by its distance in the order of the classes.
    """

    greater_is_better = True
    problem_types = ("single_label_classification",)

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "int64")

    def _compute(
        self, predictions: Any, references: Any, weights: str | None = None, num_labels: int = 2
    ) -> dict[str, float]:
        classes = np.unique([predictions, references])
        # undefined: nothing could disagree
        if len(classes) == 1:
            return {"cohen_kappa": 0.0}
        # all classes, whichever occur: distances are counted between their places
        labels = np.arange(max(num_labels, classes[-1] + 1))
        value = cohen_kappa_score(references, predictions, labels=labels, weights=weights)
        return {"cohen_kappa": float(value)}
