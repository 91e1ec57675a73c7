"""Word error rate: words to insert, delete or replace, by the words of the references."""

from typing import Any

import evaluate

from pipelines.evaluation.metrics import error_rate, info


class Wer(evaluate.Metric):
    """Word error rate of jiwer: 0 is perfect, and it may exceed 1."""

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        from jiwer import process_words

        return {"wer": error_rate(process_words(references, predictions))}
