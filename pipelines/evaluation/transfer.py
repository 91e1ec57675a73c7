"""What a checkpoint is worth: scores with it less scores from random weights, paired by seed.

A seed draws rows, order and new weights for both.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.paired import CONFIDENCE, PairedDifference, Verdict

MIN_SEEDS = 2  # with one there is no spread


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
