"""How much each of several models counts in the mean of their probabilities."""

import numpy as np

MAX_STEPS = 1_000
MIN_GAIN = 1e-9  # in nats per row; less than this, and the weights stay as they are
MIN_PROBABILITY = 1e-12  # a class that a model rules out costs much, and not infinitely much


def weights(right: np.ndarray) -> np.ndarray:
    """Find the weights by which the right classes are likeliest.

    The likelihood is concave in the weights, so that expectation-maximization for the shares of a
    mixture finds its only maximum.

    Args:
        right: (models, rows) probability that each model gives to the right class of a row.

    Returns:
        (models,) weights that are not negative and add up to 1.
    """
    right = np.maximum(right, MIN_PROBABILITY)
    shares = np.full(len(right), 1 / len(right))
    likelihood = -np.inf
    for _ in range(MAX_STEPS):
        mixed = shares @ right
        before, likelihood = likelihood, float(np.log(mixed).mean())
        if likelihood - before < MIN_GAIN:
            break
        shares = shares * (right / mixed).mean(axis=1)
    return np.asarray(shares / shares.sum())
