"""Temperature scaling: divide logits by one number fitted on validation (arXiv 1706.04599).

Not by scikit-learn's `CalibratedClassifierCV(method="temperature")`: it has no prior, takes no
multi-label targets, fails if validation has one class only, and needs an estimator around the
logits.
"""

import math

import numpy as np

from pipelines.evaluation.calibration.decisions import Decisions

# of log T, so T from 0.018 to 55. The posterior may have two modes (predictions all right, and
# logits close together): the grid finds the higher one, and Brent's method its maximum
LOG_TEMPERATURES = np.arange(-4, 4.5, 0.5)


def fit(decisions: Decisions) -> float:
    """Fit the temperature T at which `decisions` are likeliest, with a weak prior around 1.

    Minimizes the summed negative log-likelihood of logits / T plus (log T)²/2: the posterior mode
    under a standard normal prior on log T. Without the prior, a small validation split on which
    the model makes no mistake has no optimum: T would go to 0, and every probability to 1. With n
    rows the prior weighs as much as one part in n, so it vanishes where there is evidence.

    Args:
        decisions: of validation, with the logits as trained.
    """
    from scipy.optimize import minimize_scalar

    num_rows = len(decisions.targets)
    # softmax does not change, and exp() cannot overflow at the lowest temperature
    shifted = Decisions(
        decisions.logits - decisions.logits.max(axis=1, keepdims=True), decisions.targets
    )

    def negative_log_posterior(log_temperature: float) -> float:
        """Compute it up to a constant, in nats."""
        nll = shifted.with_temperature(math.exp(log_temperature)).nll
        return num_rows * nll + log_temperature**2 / 2

    best = int(np.argmin([negative_log_posterior(step) for step in LOG_TEMPERATURES]))
    # between its neighbors the grid's best point brackets the maximum
    last = len(LOG_TEMPERATURES) - 1
    bounds = LOG_TEMPERATURES[max(best - 1, 0)], LOG_TEMPERATURES[min(best + 1, last)]
    minimum = minimize_scalar(
        negative_log_posterior, bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    return float(math.exp(minimum.x))
