"""Scores of draws -> an interval of 95 %."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

CONFIDENCE = 0.95
EXACT = "exact (Clopper-Pearson)"


@dataclass(frozen=True)
class Interval:
    """Bounds that hold a score with a probability of CONFIDENCE, over rows.

    Attributes:
        method: how they were computed, such as "bootstrap, 1000 draws".
    """

    low: float
    high: float
    method: str

    def __str__(self) -> str:
        return f"{self.low:.4f} to {self.high:.4f}"

    @classmethod
    def of_draws(cls, scores: np.ndarray, of_groups: bool = False) -> "Interval":
        """Take the percentiles of (draws,) scores.

        Args:
            of_groups: what was drawn are groups of rows.
        """
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(scores, [tail, 1 - tail])
        units = " of groups" * of_groups
        return cls(float(low), float(high), f"bootstrap, {len(scores)} draws{units}")

    @classmethod
    def of_share(cls, num_right: int, num_rows: int) -> "Interval":
        """Compute the exact interval of a share of independent rows (Clopper, Pearson 1934)."""
        from scipy.stats import binomtest

        bounds = binomtest(num_right, num_rows).proportion_ci(CONFIDENCE, method="exact")
        return cls(float(bounds.low), float(bounds.high), EXACT)


@dataclass(frozen=True, eq=False)
class ScoreDraws:
    """Every score of every draw.

    Attributes:
        values: key of a score -> (draws,).
        reasons: key of a score -> why it was not drawn.
        of_groups: whether groups of rows were drawn.
    """

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    of_groups: bool = False

    def difference(self, other: "ScoreDraws", key: str) -> Interval | None:
        """Return the interval of this score minus that of another model on the same rows.

        Both have the same draws, so that what rows do to both cancels out. None where one of them
        was not drawn.
        """
        if key not in self.values or key not in other.values:
            return None
        return Interval.of_draws(self.values[key] - other.values[key], self.of_groups)
