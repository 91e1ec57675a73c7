"""What scikit-learn says of the same features: what solved heads are held against."""

import numpy as np

from pipelines.features.heads import Scaler


def softmax(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


class Scikit:
    """The same with scikit-learn's own objects, on standardized features, not folded."""

    def __init__(self, features, targets, strength, bias=True):
        from sklearn.linear_model import LogisticRegression, Ridge

        if np.asarray(targets).dtype == float:
            model = Ridge(alpha=strength, fit_intercept=bias)
        else:
            model = LogisticRegression(C=strength, max_iter=300, fit_intercept=bias)
        self.scaler = Scaler.of(features, center=bias)
        self.model = model.fit(self.scaler(features), targets)

    def __getattr__(self, name):
        """predict, predict_proba, decision_function of raw features."""
        return lambda features: getattr(self.model, name)(self.scaler(features))
