"""Are rows of another source told apart from those of this one by what the model gives?

max_probability.py     how sure the model is (arXiv 1610.02136)
energy.py              how large its logits are (arXiv 2010.03759)
mahalanobis.py         how far features are from the means of the classes (arXiv 1807.03888)
nearest_neighbors.py   how far they are from features of train (arXiv 2204.06507)
result.py              the area under the ROC curve of each, with an interval

Each file has `score(rows, train)`: one number for each row, higher where it is less like train.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DETECTORS = ("max_probability", "energy", "mahalanobis", "nearest_neighbors")


@dataclass(frozen=True, eq=False)
class Passed:
    """What a model gives for rows, in their order.

    Attributes:
        logits: (rows, classes).
        features: (rows, dim), what its output layer reads.
        targets: (rows,) class ids; empty where there are no labels.
    """

    logits: np.ndarray
    features: np.ndarray
    targets: np.ndarray


Detector = Callable[[Passed, Passed], np.ndarray]
