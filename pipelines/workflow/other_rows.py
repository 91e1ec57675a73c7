"""Rows of another source in a run: at most 1,000 that the model can take, in its own keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import DataError
from pipelines.evaluation.robustness import draw_rows

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.models.load import Checkpoint
    from pipelines.recipe import Recipe


def draw(
    key: str,
    path: str,
    rows: "Dataset",
    label: Any,
    recipe: "Recipe",
    checkpoint: "Checkpoint",
) -> "tuple[Dataset, np.ndarray]":
    """Draw at most 1,000 rows that task and model can take.

    Args:
        label: that all of them get, since encoding needs one.

    Returns:
        Raw rows, and their numbers.

    Raises:
        DataError: none of them can be used.
    """
    numbers = draw_rows(len(rows), recipe.seed)
    drawn = rows.select(numbers)
    drawn = drawn.add_column("label", [label] * len(drawn))

    def unusable() -> Iterator[int]:
        """Yield the rows that the task or the model cannot take."""
        task, config = recipe.task, checkpoint.model.config
        yield from (row for row, _ in task.corrupt_rows(drawn))
        yield from (row for row, _ in task.unsupported_rows(drawn, checkpoint.processor, config))

    left_out = set(processes.from_main(lambda: list(unusable())))
    if len(left_out) == len(drawn):
        raise DataError(f"{key}: none of the {len(rows):,} rows of {path} can be used")
    say(
        f"{key}: {len(drawn) - len(left_out):,} of {len(rows):,} rows of {path}, seed "
        f"{recipe.seed}" + (f"; {len(left_out):,} cannot be read" if left_out else "")
    )
    usable = [row for row in range(len(drawn)) if row not in left_out]
    return drawn.select(usable), numbers[usable]
