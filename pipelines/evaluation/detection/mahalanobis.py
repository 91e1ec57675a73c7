"""The Mahalanobis distance of features to the nearest mean of a class (arXiv 1807.03888)."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipelines.evaluation.detection import Passed


def score(rows: "Passed", train: "Passed") -> np.ndarray:
    """Return the squared distance of each row to the nearest class mean of train.

    One covariance is shared by all classes; it is shrunk (Ledoit and Wolf 2004), since features
    often have more dimensions than train has rows.
    """
    from sklearn.covariance import LedoitWolf

    classes, numbers = np.unique(train.targets, return_inverse=True)
    features = train.features.astype(float)
    means = np.stack([features[numbers == i].mean(axis=0) for i in range(len(classes))])
    spread = LedoitWolf(assume_centered=True).fit(features - means[numbers])
    distances = [spread.mahalanobis(rows.features.astype(float) - mean) for mean in means]
    return np.min(distances, axis=0)
