"""A new output layer starts at what train says of a class before its example is read.

Else the first steps learn how often each class occurs, and rare labels are below every threshold
until they have. For logistic outputs it is the start of RetinaNet (arXiv 1708.02002, 4.1).
"""

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, SINGLE, TOKENS, Labels

if TYPE_CHECKING:
    from pipelines.models.load import Checkpoint

PSEUDO_COUNT = 0.5  # examples added to each side: the logarithm of none is not finite


def start_at_prior(checkpoint: "Checkpoint", labels: Labels, targets: Any) -> None:
    """Set the bias of a new output layer so that its first probabilities are the shares of train.

    A layer that the checkpoint holds stays as it is, and so does one without a bias.

    Args:
        targets: of train, as the task gives them: class ids, 0/1 rows, or lists of tags.
    """
    import torch

    from pipelines.models.anatomy import dissect

    if labels.problem_type not in (SINGLE, MULTI, TOKENS):
        return
    name = dissect(checkpoint.model, checkpoint.newly_initialized).output
    if name is None or f"{name}.bias" not in checkpoint.newly_initialized:
        return
    bias: Any = checkpoint.model.get_submodule(name).bias
    prior = torch.as_tensor(prior_logits(labels, targets), dtype=bias.dtype)
    # a layer of another size holds a part of the weights only, under ZeRO's third stage
    if bias.shape == prior.shape:
        with torch.no_grad():
            bias.copy_(prior)


def prior_logits(labels: Labels, targets: Any) -> np.ndarray:
    """Return (num_labels,) logits whose probabilities are the shares of train.

    Several labels: the log-odds of each. One of them: logarithms of shares, 0 on average.
    """
    if labels.problem_type == MULTI:
        having = np.asarray(targets).sum(axis=0)
        lacking = len(targets) - having
        return np.asarray(np.log((having + PSEUDO_COUNT) / (lacking + PSEUDO_COUNT)))
    logarithms = np.log(_counts(labels, targets) + PSEUDO_COUNT)
    return np.asarray(logarithms - logarithms.mean())


def _counts(labels: Labels, targets: Any) -> np.ndarray:
    """Return (num_labels,) numbers of examples, or of words."""
    if labels.problem_type == TOKENS:
        words = Counter(chain.from_iterable(targets))
        return np.asarray([words[name] for name in labels.names], float)
    return np.bincount(targets, minlength=labels.num_labels)
