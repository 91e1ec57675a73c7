"""H-score: how much of the features' variance lies between classes."""

import numpy as np


def h_score(features: np.ndarray, classes: np.ndarray) -> float:
    """Compute the regularized H-score (arXiv 2110.06893), between 0 and the number of classes.

    Of more dimensions than examples the sample covariance is singular, and the score of noise the
    highest of all: it is shrunk as Ledoit and Wolf do.

    Args:
        features: (examples, dim).
        classes: (examples,) class ids.
    """
    from sklearn.covariance import ledoit_wolf

    centered = features - features.mean(axis=0)
    covariance, shrinkage = ledoit_wolf(centered, assume_centered=True)
    names, members = np.unique(classes, return_inverse=True)
    means = np.stack([centered[members == number].mean(axis=0) for number in range(len(names))])
    shares = np.bincount(members) / len(members)
    between = (means * shares[:, None]).T @ means
    # the pseudo-inverse: a unit that never fires has no variance at all
    return float((1 - shrinkage) * np.trace(np.linalg.pinv(covariance, hermitian=True) @ between))
