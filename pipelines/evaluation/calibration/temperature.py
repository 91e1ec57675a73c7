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
LOWEST, HIGHEST = -4.0, 4.0
COARSE = np.linspace(LOWEST, HIGHEST, 17)
FINE = np.linspace(LOWEST, HIGHEST, 81)
MAX_DOUBTFUL = 300  # decisions; with more the posterior is as good as one number


def fit(decisions: Decisions) -> float:
    """Fit the temperature T at which `decisions` are likeliest, with a weak prior around 1.

    The prior on log T is a standard normal. Without one, a small validation split on which the
    model makes no mistake has no optimum: T would go to 0, and every probability to 1. With n rows
    it weighs as much as one part in n, so it vanishes where there is evidence.

    Few rows leave much doubt about T, and probabilities at its likeliest value are too sure. So up
    to MAX_DOUBTFUL decisions T is the one whose mean confidence is that of all T, each by its
    posterior probability; of more, it is the posterior mode.

    Args:
        decisions: of validation, with the logits as trained.
    """
    # softmax does not change, and exp() cannot overflow at the lowest temperature
    shifted = Decisions(
        decisions.logits - decisions.logits.max(axis=1, keepdims=True), decisions.targets
    )
    log_temperature = _mode(shifted)
    if len(decisions.targets) <= MAX_DOUBTFUL:
        log_temperature = _of_mean_confidence(shifted, log_temperature)
    return float(math.exp(log_temperature))


def _negative_log_posterior(log_temperature: float, decisions: Decisions) -> float:
    """Compute it up to a constant, in nats."""
    nll = decisions.with_temperature(math.exp(log_temperature)).nll
    return len(decisions.targets) * nll + log_temperature**2 / 2


def _mode(decisions: Decisions) -> float:
    """Return the log T of the highest posterior density."""
    from scipy.optimize import minimize_scalar

    best = int(np.argmin([_negative_log_posterior(step, decisions) for step in COARSE]))
    # between its neighbors the grid's best point brackets the maximum
    bounds = COARSE[max(best - 1, 0)], COARSE[min(best + 1, len(COARSE) - 1)]
    minimum = minimize_scalar(
        _negative_log_posterior,
        args=(decisions,),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(minimum.x)


def _of_mean_confidence(decisions: Decisions, mode: float) -> float:
    """Return the log T at which mean confidence is its posterior mean; `mode` without doubt."""
    from scipy.optimize import brentq

    def confidence(log_temperature: float) -> float:
        return decisions.with_temperature(math.exp(log_temperature)).probabilities.max(1).mean()

    density = np.array([_negative_log_posterior(step, decisions) for step in FINE])
    density = np.exp(density.min() - density)
    expected = np.average([confidence(step) for step in FINE], weights=density)
    # logits that are all equal have one confidence at every T
    if not confidence(HIGHEST) < expected < confidence(LOWEST):
        return mode
    return float(brentq(lambda step: confidence(step) - expected, LOWEST, HIGHEST, xtol=1e-6))
