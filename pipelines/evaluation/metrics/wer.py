"""Word error rate: words to insert, delete or replace, by the number of words that are right."""

from typing import Any

import evaluate

from pipelines.evaluation.metrics import error_rate, info


class Wer(evaluate.Metric):
    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        from jiwer import process_words

        return {"wer": error_rate(process_words(references, predictions))}
