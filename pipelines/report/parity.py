"""Reload parity: whether the saved model predicts what the trained one did."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.report.saved_model_checks import Parity

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import ModelOutputs

TOLERANCE = 1e-3  # max difference of float32 outputs: kernels differ by less, wrong weights by more
RELATIVE_TOLERANCE = 1e-5  # of the largest output: float32 has 24 bits, which is 6e-8 of 120,000
NUM_EXAMPLES = 256  # that are compared
# Kernels round by the size of the batch, the more the deeper the model (ResNet-152: 1e-3 and more).
NUM_ALONE = 8  # examples that show by how much
NOISE_FACTOR = 4.0  # the largest difference of 256 examples, beside that of so few
MAX_NOISE_SHARE = 1e-3  # of the largest output: what differs by more is another model


def compare(
    predict: "Callable[[Dataset], ModelOutputs]",
    rows: "Dataset",
    trained: "ModelOutputs",
    num_examples: int = NUM_EXAMPLES,
) -> Parity:
    """Predict the first examples of a split with the reloaded model and compare the outputs.

    Args:
        predict: raw examples -> what the task reads of the model's outputs; encodes them itself.
        rows: the raw examples of the split.
        trained: the outputs of the trained model, for all examples of the split or the first ones.
        num_examples: how many to compare; more, if fewer than two encoded rows come of them.
    """
    first = rows.select(range(min(num_examples, len(rows))))
    is_whole_split = len(first) == len(rows)
    # texts may be joined into blocks, and in the whole split the last block goes on
    compared = slice(None if is_whole_split else -1)
    outputs = predict(first)
    pairs = [
        (reloaded, original)
        for name, column in outputs.items()
        # not strict: the trained model's outputs are those of the whole split
        for reloaded, original in zip(column[compared], trained[name], strict=False)
    ]
    differences = [_difference(reloaded, original) for reloaded, original in pairs]
    # so many short texts can be a single block, without which nothing is left to compare
    if not differences and not is_whole_split:
        return compare(predict, rows, trained, 4 * num_examples)
    largest = max(differences, default=0.0)
    magnitude = max(
        (float(np.abs(original).max(initial=0.0)) for _, original in pairs), default=0.0
    )
    tolerance = max(TOLERANCE, RELATIVE_TOLERANCE * magnitude)
    if tolerance < largest <= (limit := MAX_NOISE_SHARE * magnitude):
        noise = _noise(predict, first, outputs)
        tolerance = max(tolerance, NOISE_FACTOR * noise if noise <= limit else 0.0)
    return Parity(largest, len(first), largest <= tolerance)


def _noise(
    predict: "Callable[[Dataset], ModelOutputs]", rows: "Dataset", outputs: "ModelOutputs"
) -> float:
    """Measure how much the outputs of the first examples change where each is a batch of its own.

    Args:
        outputs: those of all rows, in batches of the usual size.
    """
    noise = 0.0
    for row in range(min(NUM_ALONE, len(rows))):
        for name, alone in predict(rows.select([row])).items():
            # texts in blocks or windows are not one row each; padding makes more tokens
            if len(alone) == 1 and len(outputs[name]) == len(rows):
                difference = _difference(alone[0], outputs[name][row])
                noise = max(noise, difference if np.isfinite(difference) else 0.0)
    return noise


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest absolute difference; infinity if the shapes differ."""
    # another number of labels or tokens is a difference, not a crash
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max(initial=0.0))
