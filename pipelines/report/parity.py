"""Is the model that was saved, loaded afresh by its own library, the one that was trained?"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.report.evidence import Parity

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import ModelOutputs

TOLERANCE = 1e-3  # largest difference between float32 outputs that still counts as the same


def compare(
    predict: "Callable[[Dataset], ModelOutputs]",
    rows: "Dataset",
    trained: "ModelOutputs",
    most: int = 256,
) -> Parity:
    """Predict the first examples of a split with the reloaded model and compare the outputs.

    Where not all examples are read, the last encoded row is left out: texts that are joined into
    blocks may go on in it.

    Args:
        predict: raw examples -> what the task reads of the model's outputs; encodes them itself.
        trained: the same of the trained model, for all examples of the split.
    """
    first = rows.select(range(min(most, len(rows))))
    whole = slice(None if len(first) == len(rows) else -1)
    pairs = [
        pair
        for name, column in predict(first).items()
        for pair in zip(column[whole], trained[name], strict=False)
    ]
    if not pairs and len(first) < len(rows):  # all of them fit into one block
        return compare(predict, rows, trained, 4 * most)
    difference = max((_difference(*pair) for pair in pairs), default=0.0)
    return Parity(difference, len(first), difference <= TOLERANCE)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest one; without end where even the shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max(initial=0.0))
