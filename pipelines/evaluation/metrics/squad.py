"""SQuAD's F1 of words and exact match, from 0 to 1; the best over the accepted answers."""

import re
import string
from collections import Counter
from typing import Any

import evaluate

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


class Squad(evaluate.Metric):
    """The scores of the official script of SQuAD 2.0 (arXiv 1806.03822), which gives percent.

    A prediction is a text, "" for no answer. A reference is the list of all accepted answers; for
    a question without any, "" is right.
    """

    greater_is_better = True

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, List, Value

        text = Value("string")
        features = Features({"predictions": text, "references": List(text)})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        scores = [
            _score(_words(text), _accepted(answers))
            for text, answers in zip(predictions, references, strict=True)
        ]
        f1, exact_match = (sum(column) / len(scores) for column in zip(*scores, strict=True))
        return {"f1": f1, "exact_match": exact_match}


def is_exact(text: str, answers: list[str]) -> bool:
    """Return whether a text is one of the accepted answers; "" is right where there are none."""
    return _words(text) in _accepted(answers)


def _accepted(answers: list[str]) -> list[list[str]]:
    """Return the words of each accepted answer; no words if there is none."""
    # an answer of articles only would be empty, and match a prediction of no answer
    return [words for words in map(_words, answers) if words] or [[]]


def _score(predicted: list[str], answers: list[list[str]]) -> tuple[float, float]:
    """Compute (F1, exact match) with the most similar answer."""
    return max(_f1(predicted, answer) for answer in answers), float(predicted in answers)


def _words(text: str) -> list[str]:
    """Split a text into lower-case words, without punctuation and articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def _f1(predicted: list[str], answer: list[str]) -> float:
    """Divide twice the shared words by all words; no answer matches only no answer."""
    if not predicted or not answer:
        return float(predicted == answer)
    shared = sum((Counter(predicted) & Counter(answer)).values())
    return 2 * shared / (len(predicted) + len(answer))
