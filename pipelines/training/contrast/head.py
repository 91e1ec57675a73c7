"""The head: logistic regression on vectors of length 1, which is what was compared."""

from typing import TYPE_CHECKING

import numpy as np

from pipelines.features.heads import Layer, Linear, MLPHead, Problem
from pipelines.features.heads.logistic_regression import LogisticRegression

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.training.job import Job

STRENGTH = 1.0  # C; SetFit's, too


def solve(job: "Job", extractor: "Extractor") -> MLPHead:
    """Solve a head on the features of train that normalizes what it reads.

    The penalty is fixed. The encoder has learned from these rows: by any part of them the weakest
    penalty would look best.
    """
    extracted, labels = extractor.extract(
        job.train, job.collate, title="features of train", **job.fast_options
    )
    features, targets = extracted[extractor.chosen], labels.astype(int)  # passes give float32
    normalize = Layer.normalize(features.shape[1])
    weights = job.target_weights(targets)
    problem = Problem(normalize(features), targets, job.labels.num_labels, weights=weights)
    (head,) = LogisticRegression().solve(problem, [STRENGTH])
    single = Linear(head.weight.astype(np.float32), head.bias.astype(np.float32))
    return MLPHead((normalize, Layer(single, "identity")))
