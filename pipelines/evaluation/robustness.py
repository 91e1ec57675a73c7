"""How far the main score falls where inputs are worse, by kind of corruption and severity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.evaluation.slices import Slice

MAX_ROWS = 1_000  # of the split: each of them passes through the model dozens of times


@dataclass(frozen=True)
class Robustness:
    """The main score of the same rows, clean and under each corruption.

    Attributes:
        metric: the key of the main score.
        split: of which rows were drawn.
        num_rows: how many were drawn.
        split_rows: how many there are.
        seed: of the draw and of the corruptions.
        clean: the score of the rows as they are.
        kinds: corruption -> its scores at severity 1 to 5.
        slices: accuracy by the length of texts, of all rows as they are; empty for other inputs.
    """

    metric: str
    split: str
    num_rows: int
    split_rows: int
    seed: int
    clean: float
    kinds: Mapping[str, tuple[float, ...]]
    slices: tuple[Slice, ...] = ()

    @property
    def by_severity(self) -> tuple[float, ...]:
        """The mean over corruptions at each severity."""
        return tuple(np.mean([*self.kinds.values()], axis=0).tolist())

    @property
    def mean(self) -> float:
        """The mean over corruptions and severities."""
        return float(np.mean(self.by_severity))

    def json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "metric": self.metric,
            "split": self.split,
            "rows": self.num_rows,
            "of": self.split_rows,
            "seed": self.seed,
            "clean": self.clean,
            "mean": self.mean,
            "by_severity": list(self.by_severity),
            "kinds": {kind: list(scores) for kind, scores in self.kinds.items()},
            "slices": [vars(each) for each in self.slices],
        }


def draw_rows(num_rows: int, seed: int) -> np.ndarray:
    """Draw at most MAX_ROWS positions of a split, in their order."""
    draws = np.random.default_rng(seed)
    return np.sort(draws.permutation(num_rows)[:MAX_ROWS])
