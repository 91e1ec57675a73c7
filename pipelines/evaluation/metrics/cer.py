"""Character error rate: characters to insert, delete or replace, by those of the references."""

from typing import Any

import evaluate

from pipelines.evaluation.metrics import error_rate, info


class Cer(evaluate.Metric):
    """Character error rate of jiwer: 0 is perfect, and it may exceed 1."""

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        from jiwer import process_characters

        return {"cer": error_rate(process_characters(references, predictions))}
