"""SQuAD's F1 of words and exact match, from 0 to 1; the best over the accepted answers."""

import re
import string
from collections import Counter
from typing import Any

import evaluate

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


class Squad(evaluate.Metric):
    """As in the official script of SQuAD 2.0 (arXiv 1806.03822), which counts in percent.

    A prediction is a text, "" for no answer. A reference is the list of all accepted answers; a
    question that has none is answered rightly by "".
    """

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, List, Value

        text = Value("string")
        features = Features({"predictions": text, "references": List(text)})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        pairs = [
            (_words(predicted), [words for words in map(_words, answers) if words] or [[]])
            for predicted, answers in zip(predictions, references, strict=True)
        ]
        return {
            "f1": sum(max(_f1(said, a) for a in answers) for said, answers in pairs) / len(pairs),
            "exact_match": sum(said in answers for said, answers in pairs) / len(pairs),
        }


def _words(text: str) -> list[str]:
    """Lower-case, without punctuation and articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def _f1(said: list[str], answer: list[str]) -> float:
    """Twice the shared words over all words; no answer equals only itself."""
    if not said or not answer:
        return float(said == answer)
    shared = sum((Counter(said) & Counter(answer)).values())
    return 2 * shared / (len(said) + len(answer))
