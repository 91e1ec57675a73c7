"""Share of predicted texts that are, to the letter, a reference; for texts only."""

from typing import Any

import evaluate


class ExactMatch(evaluate.Metric):
    """Exact match, from 0 to 1.

    A prediction is a text, and a reference is a text or the list of all accepted ones; for an
    empty list, "" is right.
    """

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, List, Value

        text = Value("string")
        forms = [Features({"predictions": text, "references": kind}) for kind in (text, List(text))]
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=forms)

    def _compute(
        self, predictions: Any, references: Any, ignore_case: bool = False
    ) -> dict[str, float]:
        pairs = zip(predictions, references, strict=True)
        right = [_form(text, ignore_case) in _accepted(each, ignore_case) for text, each in pairs]
        return {"exact_match": sum(right) / len(right)}


def _accepted(reference: str | list[str], ignore_case: bool) -> list[str]:
    texts = [reference] if isinstance(reference, str) else reference or [""]
    return [_form(text, ignore_case) for text in texts]


def _form(text: str, ignore_case: bool) -> str:
    return text.lower() if ignore_case else text
