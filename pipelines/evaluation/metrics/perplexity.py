"""Exponential of the mean negative log-likelihood of a token: 1 is certain and right."""

from typing import Any

import evaluate
import numpy as np

MAX_NATS = 700.0  # exp(710) exceeds a float64, and an infinite score could not be compared


class Perplexity(evaluate.Metric):
    """Perplexity over all tokens of all texts, from 1.

    A prediction is the mean negative log-likelihood of a text's tokens, in nats. A reference is
    the list of their ids; its length is the weight of the text, so that each token counts alike.
    """

    greater_is_better = False

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, List, Value

        features = Features({"predictions": Value("float64"), "references": List(Value("int64"))})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        # the loss is a mean over tokens, not over texts
        nll = np.average(predictions, weights=[len(ids) for ids in references])
        return {"perplexity": float(np.exp(min(nll, MAX_NATS)))}
