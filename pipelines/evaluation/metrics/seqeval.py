"""F1, precision and recall of whole entities, as CoNLL counts them; accuracy of single words."""

from typing import Any

import evaluate

from pipelines.evaluation.metrics import MULTILABEL, info

SCHEMES = ("IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU")


class Seqeval(evaluate.Metric):
    """Scores of the seqeval library, from 0 to 1.

    Predictions and references are lists of tags (O, B-PER, I-PER…), one list for each text.
    """

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string", MULTILABEL)

    def _compute(
        self, predictions: Any, references: Any, average: str = "micro", scheme: str | None = None
    ) -> dict[str, float]:
        from seqeval import metrics
        from seqeval import scheme as schemes

        tags = {tag for sentence in (*predictions, *references) for tag in sentence}
        # seqeval itself would only warn, and score nonsense
        invalid = sorted(tag for tag in tags if tag[1:2] not in ("", "-"))
        if invalid:
            raise ValueError(f"'{invalid[0]}' is no tag of an entity; expected O, B-…, I-…")
        if scheme not in (None, *SCHEMES):
            raise ValueError(f"unknown scheme '{scheme}'; known: {', '.join(SCHEMES)}")
        # 0 without a warning if no entity is predicted, or there is none to find
        options: dict[str, Any] = {"average": average, "zero_division": 0}
        if scheme:  # an entity counts only if its tags follow the scheme
            options |= {"mode": "strict", "scheme": getattr(schemes, scheme)}
        return {
            "f1": metrics.f1_score(references, predictions, **options),
            "precision": metrics.precision_score(references, predictions, **options),
            "recall": metrics.recall_score(references, predictions, **options),
            "accuracy": metrics.accuracy_score(references, predictions),
        }
