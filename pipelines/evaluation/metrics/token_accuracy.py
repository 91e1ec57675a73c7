"""Share of the words of all texts whose tag is right."""

from itertools import chain
from typing import Any

import evaluate

from pipelines.evaluation.metrics import MULTILABEL, info


class TokenAccuracy(evaluate.Metric):
    """Share of all words with the right tag, from 0 to 1."""

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string", MULTILABEL)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        # chained: every word counts alike, in short texts and long ones
        pairs = zip(chain(*predictions), chain(*references), strict=True)
        right = [predicted == expected for predicted, expected in pairs]
        return {"token_accuracy": sum(right) / len(right)}
