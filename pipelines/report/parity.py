"""Is the model that was saved, loaded afresh by its own library, the one that was trained?"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.report.evidence import Parity

if TYPE_CHECKING:
    from datasets import Dataset

TOLERANCE = 1e-3  # largest difference between float32 logits that still counts as the same


def compare(
    predict: "Callable[[Dataset], np.ndarray]",
    rows: "Dataset",
    trained: np.ndarray,
    most: int = 256,
) -> Parity:
    """Predict the first rows of a split with the reloaded model and compare the logits.

    Args:
        predict: raw rows -> (rows, num_labels) logits; encodes them itself.
        trained: (all rows, num_labels) logits of the trained model.
    """
    rows = rows.select(range(min(most, len(rows))))
    difference = float(np.abs(predict(rows) - trained[: len(rows)]).max())
    return Parity(difference, len(rows), difference <= TOLERANCE)
