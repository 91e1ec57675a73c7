"""How far confidence is from accuracy."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.evaluation.calibration.decisions import Decisions

NUM_BINS = 15  # of equal width, as in arXiv 1706.04599


@dataclass(frozen=True, eq=False)
class Reliability:
    """Decisions by their confidence, which is the probability of the likeliest class.

    Attributes:
        nll: mean negative log-likelihood, in nats.
        counts: (NUM_BINS,) decisions with a confidence in ((i - 1)/NUM_BINS, i/NUM_BINS].
        confidence: (NUM_BINS,) their mean confidence; 0 in an empty bin.
        accuracy: (NUM_BINS,) the share of them that is right; 0 in an empty bin.
    """

    nll: float
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @classmethod
    def of(cls, decisions: Decisions) -> Self:
        """Sort decisions into bins."""
        probabilities = decisions.probabilities
        confidence = probabilities.max(axis=1)
        is_right = probabilities.argmax(axis=1) == decisions.targets
        # bins are closed above, so that a confidence of exactly 1 is in the last one
        bins = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
        counts = np.bincount(bins, minlength=NUM_BINS)
        # an empty bin is 0 / 1, not a warning and NaN
        sums = (np.bincount(bins, weights, NUM_BINS) for weights in (confidence, is_right))
        return cls(decisions.nll, counts, *(total / np.maximum(counts, 1) for total in sums))

    @property
    def ece(self) -> float:
        """Expected calibration error, from 0 to 1 (Naeini et al., AAAI 2015).

        |accuracy - confidence| of each bin, averaged over all decisions.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.counts * gaps).sum() / self.counts.sum())

    def json(self) -> dict[str, float]:
        """Return the two numbers that sum it up."""
        return {"ece": self.ece, "nll": self.nll}
