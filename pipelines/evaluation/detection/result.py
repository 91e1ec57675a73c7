"""How well each detector tells rows of another source from those of this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from pipelines.evaluation.detection import DETECTORS, Detector, Passed

NUM_RESAMPLES = 1_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Area:
    """The area under the ROC curve: the share of pairs in which the other row scores higher.

    Attributes:
        value: 0.5 is chance.
        low, high: the interval of 95 % over rows drawn anew (percentile bootstrap).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Detection:
    """The areas of all detectors.

    Attributes:
        name: of the other source.
        split: that its rows are told apart from.
        num_rows: of the split.
        num_others: of the other source.
        num_train: rows of train that features are compared with.
        areas: detector -> its area.
    """

    name: str
    split: str
    num_rows: int
    num_others: int
    num_train: int
    areas: Mapping[str, Area]

    def json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "data": self.name,
            "split": self.split,
            "rows": self.num_rows,
            "other_rows": self.num_others,
            "train_rows": self.num_train,
            "auroc": {name: vars(area) for name, area in self.areas.items()},
        }


def detect(rows: Passed, others: Passed, train: Passed, seed: int) -> dict[str, Area]:
    """Compute the area of each detector.

    Args:
        seed: of the bootstrap.
    """
    areas = {}
    for name in DETECTORS:
        score: Detector = import_module(f"pipelines.evaluation.detection.{name}").score
        areas[name] = area(score(rows, train), score(others, train), seed)
    return areas


def area(inside: np.ndarray, outside: np.ndarray, seed: int) -> Area:
    """Compare (rows,) scores of this source with those of another; equal ones count half."""
    ordered = np.sign(outside[:, None] - inside[None, :]) / 2 + 0.5
    draws = np.random.default_rng(seed)
    # how often each row is drawn, instead of the rows: one product for all resamples
    weights = [
        draws.multinomial(len(each), np.full(len(each), 1 / len(each)), NUM_RESAMPLES) / len(each)
        for each in (outside, inside)
    ]
    resampled = ((weights[0] @ ordered) * weights[1]).sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Area(float(ordered.mean()), float(low), float(high))
