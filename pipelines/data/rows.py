"""Rows of a split that know where they stood when it was loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a split, or all of them.

    Attributes:
        split: the part that the split was chosen for; what is set aside stays of train's.
        numbers: (rows,) where they stood in the split as it was loaded, from 0.
    """

    dataset: "Dataset"
    split: str
    numbers: np.ndarray

    @classmethod
    def of(cls, dataset: "Dataset", split: str) -> "Rows":
        """All rows of a split."""
        return cls(dataset, split, np.arange(len(dataset)))

    def __len__(self) -> int:
        return len(self.dataset)

    def select(self, positions: np.ndarray) -> "Rows":
        """The rows at these positions, in their order."""
        return Rows(self.dataset.select(positions), self.split, self.numbers[positions])

    def place(self, part: str, row: int) -> str:
        """`validation, row 7`, or `validation, row 7 of train` where it was set aside."""
        origin = f" of {self.split}" if part != self.split else ""
        return f"{part}, row {self.numbers[row]}{origin}"
