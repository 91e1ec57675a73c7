"""Share of words, of all texts together, whose tag is right."""

from itertools import chain
from typing import Any

import evaluate

from pipelines.evaluation.metrics import MULTILABEL, info


class TokenAccuracy(evaluate.Metric):
    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string", MULTILABEL)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        pairs = zip(chain(*predictions), chain(*references), strict=True)
        right = [predicted == meant for predicted, meant in pairs]
        return {"token_accuracy": sum(right) / len(right)}
