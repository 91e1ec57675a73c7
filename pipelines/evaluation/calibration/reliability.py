"""How far confidence is from accuracy."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.evaluation.calibration.decisions import Decisions

BINS = 15  # of equal width, as in arXiv 1706.04599


@dataclass(frozen=True, eq=False)
class Reliability:
    """Decisions by their confidence, which is the probability of the likeliest class.

    Attributes:
        nll: mean negative log-likelihood, in nats.
        counts: (BINS,) decisions with a confidence in ((i - 1)/BINS, i/BINS].
        confidence: (BINS,) their mean confidence; 0 where there are none.
        accuracy: (BINS,) the share of them that is right; 0 where there are none.
    """

    nll: float
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @classmethod
    def of(cls, decisions: Decisions) -> Self:
        """The bins of some decisions."""
        probabilities = decisions.probabilities
        confidence = probabilities.max(axis=1)
        is_right = probabilities.argmax(axis=1) == decisions.targets
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        there = np.maximum(counts, 1)
        sums = (np.bincount(bins, weights, BINS) for weights in (confidence, is_right))
        return cls(decisions.nll, counts, *(total / there for total in sums))

    @property
    def ece(self) -> float:
        """Expected calibration error: |accuracy - confidence|, averaged over all decisions by
        their bins (Naeini et al. 2015)."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.counts * gaps).sum() / self.counts.sum())

    def json(self) -> dict[str, float]:
        """The two numbers."""
        return {"ece": self.ece, "nll": self.nll}
