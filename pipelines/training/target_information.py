"""What predictions tell of rows without labels (arXiv 2002.08546)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pipelines.training.row_subset import RowSubset

MAX_MEASURED_ROWS = 500  # of the target, each time


def measure(compute_logits: Callable[[Any], np.ndarray], rows: Any) -> float:
    """Compute the entropy of the mean prediction minus the mean entropy, in nats.

    It is high where rows are sure and classes many, and 0 where all rows get one class.

    Args:
        compute_logits: encoded rows -> (rows, classes).
        rows: of which at most 500 are read, evenly spread.
    """
    count = min(MAX_MEASURED_ROWS, len(rows))
    subset = RowSubset(rows, np.linspace(0, len(rows) - 1, count).astype(int))
    probabilities = torch.softmax(torch.from_numpy(compute_logits(subset)), 1)
    entropies = torch.special.entr(probabilities).sum(1)
    spread = torch.special.entr(probabilities.mean(0)).sum()
    return max(0.0, float(spread - entropies.mean()))  # rounding can bring it below
