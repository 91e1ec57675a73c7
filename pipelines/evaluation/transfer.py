"""What a checkpoint is worth: scores with it less scores from random weights, paired by seed.

A seed draws rows, order and new weights for both, so that what the draw does to both cancels out.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

CONFIDENCE = 0.95
MIN_SEEDS = 2  # with one there is no spread
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
    """Half the width of the interval of a mean."""
    from scipy.stats import t

    quantile = t.ppf((1 + CONFIDENCE) / 2, num_pairs - 1)
    return float(quantile * deviation / np.sqrt(num_pairs))


@dataclass(frozen=True)
class ScorePair:
    """The main score on validation with pretrained weights and with random ones.

    Attributes:
        seed: of both runs.
        pretrained, scratch: the score of each.
        baseline: what a predictor without input has on the same rows.
    """

    seed: int
    pretrained: float
    scratch: float
    baseline: float


@dataclass(frozen=True)
class Transfer:
    """What a checkpoint is worth beside random weights.

    Attributes:
        checkpoint: what training started from.
        strategy: by which it was grafted.
        metric: the key of the main score.
        greater_is_better: whether a greater score is better.
        num_rows: rows of validation.
        budget: how long each of both trained, in words.
        pairs: the scores of each seed.
    """

    checkpoint: str
    strategy: str
    metric: str
    greater_is_better: bool
    num_rows: int
    budget: str
    pairs: tuple[ScorePair, ...]

    @property
    def difference(self) -> PairedDifference:
        """How much better the checkpoint is; below 0 where random weights are."""
        sign = 1 if self.greater_is_better else -1
        return PairedDifference(tuple(sign * (p.pretrained - p.scratch) for p in self.pairs))

    @property
    def verdict(self) -> Verdict:
        """Whether pretrained weights help, or hurt: negative transfer."""
        return self.difference.verdict

    def mean(self, name: str) -> float:
        """Return the mean over seeds of a field of ScorePair."""
        return float(np.mean([getattr(pair, name) for pair in self.pairs]))

    @property
    def has_learned(self) -> bool:
        """Whether one of both is better than the baseline, on the mean."""
        sign = 1 if self.greater_is_better else -1
        best = max(sign * self.mean("pretrained"), sign * self.mean("scratch"))
        return best > sign * self.mean("baseline")

    def json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        low, high = self.difference.interval
        return {
            **vars(self),
            "pairs": [vars(pair) for pair in self.pairs],
            "mean": self.difference.mean,
            "interval": [low, high],
            "confidence": CONFIDENCE,
            "verdict": self.verdict,
        }
