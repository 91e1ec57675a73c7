"""F1, precision and recall of whole entities, as CoNLL counts them; accuracy of single words."""

from typing import Any

import evaluate

from pipelines.core import tag_schemes
from pipelines.core.errors import suggest
from pipelines.evaluation.metrics import MULTILABEL, info

# name -> the letters that it has, and the class of seqeval that reads it once it is in IOBES;
# not IOE1, of which seqeval loses entities of one word
SCHEMES = {
    "BIO": ("BI", "IOB2"),
    "IOB1": ("BI", "IOB1"),
    "IOB2": ("BI", "IOB2"),
    "IOE2": ("IE", "IOE2"),
    "IOBES": ("BIES", "IOBES"),
    "BIOES": ("BIES", "IOBES"),
    "BILOU": ("BILU", "IOBES"),
    "BMEWO": ("BMEWS", "IOBES"),
    "BMES": ("BMES", "IOBES"),
}


class Seqeval(evaluate.Metric):
    """Scores of the seqeval library, from 0 to 1.

    Predictions and references are lists of tags (O, B-PER, I-PER…), one list for each text, in any
    scheme of `tag_schemes`; `label_names` are all the tags there are.
    """

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        return info(__doc__, "string", MULTILABEL)

    def _compute(
        self,
        predictions: Any,
        references: Any,
        average: str = "micro",
        scheme: str | None = None,
        label_names: Any = None,
    ) -> dict[str, float]:
        from seqeval import metrics
        from seqeval import scheme as schemes

        present = (tag for tags in (*predictions, *references) for tag in tags)
        # seqeval itself would only warn of tags of no entity, and score nonsense
        tagging = tag_schemes.read(label_names or present)
        # 0 without a warning if no entity is predicted, or there is none to find
        options: dict[str, Any] = {"average": average, "zero_division": 0}
        if scheme:  # an entity counts only if its tags follow the scheme
            options |= {"mode": "strict", "scheme": getattr(schemes, _strict(scheme, tagging))}
        texts = [*map(tagging.in_iobes, references)], [*map(tagging.in_iobes, predictions)]
        return {
            "f1": metrics.f1_score(*texts, **options),
            "precision": metrics.precision_score(*texts, **options),
            "recall": metrics.recall_score(*texts, **options),
            "accuracy": metrics.accuracy_score(*texts),
        }


def _strict(scheme: str, tagging: tag_schemes.Tagging) -> str:
    """Name the class of seqeval for a scheme that the tags have to follow."""
    if scheme not in SCHEMES:
        raise ValueError(f"unknown scheme '{scheme}'; {suggest(scheme, SCHEMES)}")
    letters, reader = SCHEMES[scheme]
    if tagging.letters - set(letters):
        raise ValueError(f"the tags are {tagging.scheme}, not {scheme}")
    return reader
