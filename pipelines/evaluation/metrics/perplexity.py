"""Exponential of the mean negative log-likelihood: how many tokens a model hesitates between."""

from typing import Any

import evaluate
import numpy as np

LARGEST = 700.0  # nats; a float has no room for the exponential of much more


class Perplexity(evaluate.Metric):
    """A prediction is the mean negative log-likelihood of a text's tokens, in nats; a reference
    their ids, which say how many there are: every token weighs the same."""

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, List, Value

        features = Features({"predictions": Value("float64"), "references": List(Value("int64"))})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        nll = np.average(predictions, weights=[len(ids) for ids in references])
        return {"perplexity": float(np.exp(min(nll, LARGEST)))}
