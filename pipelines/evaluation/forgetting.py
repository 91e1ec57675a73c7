"""What training has left of what an encoder could do before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.evaluation.paired import PairedDifference

if TYPE_CHECKING:
    from datasets import Dataset

NUM_FOLDS = 5
MIN_ROWS = 50  # of the source: with fewer an accuracy tells nothing
MIN_CLASS_ROWS = 5


@dataclass(frozen=True, eq=False)
class ProbeRows:
    """Raw rows of another task, in the form that the run's task encodes.

    Attributes:
        classes: (rows,) the id of what each is.
    """

    dataset: "Dataset"
    classes: np.ndarray


@dataclass(frozen=True)
class Forgetting:
    """A probe on features of another task, before and after, and how far weights moved.

    Attributes:
        name: of the data that features are probed on.
        num_rows: of it.
        num_classes: that the probe tells apart.
        most_frequent: the share of the most frequent class, which is what guessing has.
        before, after: accuracy of the probe, out of fold.
        low, high: bounds of the difference over rows, of 95 %.
        distances: depth -> distance of its pretrained weights from where they started, relative
            to their length; empty where an adapter keeps the change apart.
    """

    name: str
    num_rows: int
    num_classes: int
    most_frequent: float
    before: float
    after: float
    low: float
    high: float
    distances: Mapping[str, float]

    def json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "data": self.name,
            "rows": self.num_rows,
            "classes": self.num_classes,
            "most_frequent": self.most_frequent,
            "before": self.before,
            "after": self.after,
            "change": self.after - self.before,
            "interval": [self.low, self.high],
            "distances": dict(self.distances),
        }


def compare(
    name: str,
    classes: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    distances: Mapping[str, float],
    seed: int,
) -> Forgetting:
    """Probe features from before and after on the same folds.

    Args:
        classes: (rows,) ids.
        before, after: (rows, dim) features.
    """
    right = [probe(features, classes, seed) for features in (before, after)]
    change = PairedDifference(tuple((right[1].astype(float) - right[0]).tolist()))
    low, high = change.interval
    counts = np.bincount(classes)
    return Forgetting(
        name=name,
        num_rows=len(classes),
        num_classes=int((counts > 0).sum()),
        most_frequent=float(counts.max() / len(classes)),
        before=float(right[0].mean()),
        after=float(right[1].mean()),
        low=low,
        high=high,
        distances=distances,
    )


def probe(features: np.ndarray, classes: np.ndarray, seed: int) -> np.ndarray:
    """Cross-validate a ridge classifier: (rows,) whether each is right, out of fold."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # a penalty that grows with the width keeps wide encoders from fitting noise
    solver = make_pipeline(StandardScaler(), RidgeClassifier(alpha=features.shape[1]))
    folds = KFold(NUM_FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(solver, features, classes, cv=folds) == classes)
