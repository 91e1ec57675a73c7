"""Rows of a split that remember their positions in the split as it was loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a split, or a selection of them.

    Attributes:
        dataset: the rows.
        origin: the split that they were loaded as: "train" for a validation set cut from train.
        numbers: (rows,) their positions in `origin` as it was loaded, from 0.
    """

    dataset: "Dataset"
    origin: str
    numbers: np.ndarray

    @classmethod
    def of(cls, dataset: "Dataset", origin: str) -> "Rows":
        """Wrap all rows of a split."""
        return cls(dataset, origin, np.arange(len(dataset)))

    def __len__(self) -> int:
        return len(self.dataset)

    def select(self, positions: np.ndarray) -> "Rows":
        """Select the rows at these (num_rows,) positions, in their order."""
        # numbers follow, so that after any draw a message still names the row in the user's file
        return Rows(self.dataset.select(positions), self.origin, self.numbers[positions])

    def location(self, split: str, position: int) -> str:
        """Name a row for a message.

        `validation, row 7`, or `validation, row 7 of train` where validation was cut from train.
        """
        origin = f" of {self.origin}" if split != self.origin else ""
        return f"{split}, row {self.numbers[position]}{origin}"


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        split: train, validation or test.
        location: the row as a message names it.
        row: its position in the split as it was loaded, from 0.
        reason: what is wrong with it.
    """

    split: str
    location: str
    row: int
    reason: str

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"
