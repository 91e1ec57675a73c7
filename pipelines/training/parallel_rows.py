"""The same examples, encoded for each of several models."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.training.row_subset import RowSubset


@dataclass(frozen=True, eq=False)
class ParallelRows:
    """Encoded rows for several models.

    Attributes:
        parts: the rows as each model reads them, all in the same order.
    """

    parts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.parts[0])


def select(rows: Any, numbers: np.ndarray) -> Any:
    """Select encoded rows by their numbers; of several models, those of each."""
    if isinstance(rows, ParallelRows):
        return ParallelRows(tuple(RowSubset(part, numbers) for part in rows.parts))
    return RowSubset(rows, numbers)
