"""The mean of paired differences: what a draw does to both of a pair cancels out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

CONFIDENCE = 0.95
MAX_SEEDS = 100  # that an estimate of how many are needed goes up to

Verdict = Literal["positive", "ambiguous", "negative"]


@dataclass(frozen=True)
class PairedDifference:
    """The mean of differences, and its interval by Student's t.

    Attributes:
        differences: one for each pair; above 0 the first of the pair is better.
    """

    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(np.mean(self.differences))

    @property
    def deviation(self) -> float:
        """The standard deviation of the differences."""
        return float(np.std(self.differences, ddof=1))

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds that hold the mean over all seeds with a probability of CONFIDENCE."""
        reach = _reach(self.deviation, len(self.differences))
        return self.mean - reach, self.mean + reach

    @property
    def verdict(self) -> Verdict:
        """Which of the pair is better, if the interval leaves 0 out."""
        low, high = self.interval
        if low > 0:
            return "positive"
        return "negative" if high < 0 else "ambiguous"

    @property
    def seeds_needed(self) -> int | None:
        """Seeds that tell a difference of this size from none; None for more than MAX_SEEDS."""
        counts = range(len(self.differences), MAX_SEEDS + 1)
        reaches = ((n, _reach(self.deviation, n)) for n in counts)
        return next((n for n, reach in reaches if reach < abs(self.mean)), None)


def _reach(deviation: float, num_pairs: int) -> float:
    """Compute half the width of the interval of a mean."""
    from scipy.stats import t

    quantile = t.ppf((1 + CONFIDENCE) / 2, num_pairs - 1)
    return float(quantile * deviation / np.sqrt(num_pairs))
