"""Temperature scaling: logits divided by one number that suits validation (arXiv 1706.04599)."""

import math

import numpy as np

from pipelines.evaluation.calibration.decisions import Decisions

# of log T: from 0.018 to 55. The posterior may have two modes (answers all right, and hardly
# apart): the steps find the higher one, and Brent's method its top
GRID = np.arange(-4, 4.5, 0.5)


def fit(decisions: Decisions) -> float:
    """The temperature T at which `decisions` are likeliest, held to 1 by a weak prior.

    It minimizes the summed negative log-likelihood of logits / T plus (log T)²/2, the posterior
    mode under a standard normal on log T. Without the latter, a small validation split on which the
    model is never wrong has no optimum: T = 0, and a certainty of 1 for everything. With n rows the
    prior counts for one part in n, so that it vanishes where there is evidence.
    """
    from scipy.optimize import minimize_scalar

    num_rows = len(decisions.targets)
    apart = Decisions(
        decisions.logits - decisions.logits.max(axis=1, keepdims=True), decisions.targets
    )

    def surprise(log_temperature: float) -> float:
        likelihood = num_rows * apart.with_temperature(math.exp(log_temperature)).nll
        return likelihood + log_temperature**2 / 2

    best = int(np.argmin([surprise(step) for step in GRID]))
    around = GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)]
    found = minimize_scalar(surprise, bounds=around, method="bounded", options={"xatol": 1e-6})
    return float(math.exp(found.x))
