"""Rows of a split that remember their positions in the split as it was loaded."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import listed

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

MAX_SHOWN_GROUPS = 3


@dataclass(frozen=True, eq=False)
class Groups:
    """Which rows belong together, such as those of a patient: `data.group`.

    Attributes:
        column: the column whose equal values make a group.
        numbers: (rows,) the group of each row, the same in all splits.
        values: (numbers,) what the column holds in the first groups; the others are rows without a
            value, each of which is a group of its own.
    """

    column: str
    numbers: np.ndarray
    values: "pa.Array"

    @property
    def sizes(self) -> np.ndarray:
        """(groups,) how many rows each group has."""
        return np.unique(self.numbers, return_counts=True)[1]

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(self.sizes)

    def select(self, positions: np.ndarray) -> "Groups":
        """Select the groups of the rows at these (num_rows,) positions."""
        return replace(self, numbers=self.numbers[positions])

    def names(self, numbers: np.ndarray) -> str:
        """Write the first of these groups as the column has them."""
        return listed((repr(self.values[int(i)].as_py()) for i in numbers), MAX_SHOWN_GROUPS)


@dataclass(frozen=True, eq=False)
class Domains:
    """Which of several sources each row comes from: `data.sources`.

    Attributes:
        names: of the sources, in the order of the recipe.
        numbers: (rows,) the source of each row, by its place in `names`.
    """

    names: tuple[str, ...]
    numbers: np.ndarray

    def select(self, positions: np.ndarray) -> "Domains":
        """Select the sources of the rows at these (num_rows,) positions."""
        return replace(self, numbers=self.numbers[positions])

    def name(self, position: int) -> str:
        """Name the source of a row."""
        return self.names[int(self.numbers[position])]


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a split, or a selection of them.

    Attributes:
        dataset: the rows.
        origin: the split that they were loaded as: "train" for a validation set cut from train.
        numbers: (rows,) their positions in `origin` as it was loaded, from 0; of several sources
            each counts by itself.
        groups: which rows belong together; None without `data.group`.
        domains: which source each row comes from; None where there is one.
        ids: the column of `origin`, as it was loaded, that names each row; None without one.
    """

    dataset: "Dataset"
    origin: str
    numbers: np.ndarray
    groups: Groups | None = None
    domains: Domains | None = None
    ids: "Dataset | None" = None

    @classmethod
    def of(cls, dataset: "Dataset", origin: str) -> "Rows":
        """Wrap all rows of a split."""
        return cls(dataset, origin, np.arange(len(dataset)))

    def __len__(self) -> int:
        return len(self.dataset)

    def select(self, positions: np.ndarray) -> "Rows":
        """Select the rows at these (num_rows,) positions, in their order."""
        # numbers follow, so that after any draw a message still names the row in the user's file
        groups = self.groups and self.groups.select(positions)
        domains = self.domains and self.domains.select(positions)
        dataset, numbers = self.dataset.select(positions), self.numbers[positions]
        return replace(self, dataset=dataset, numbers=numbers, groups=groups, domains=domains)

    def location(self, split: str, position: int) -> str:
        """Name a row for a message.

        `validation, row 7`, or `validation, row 7 of train` where validation was cut from train;
        `train, row 7 of 'books'` where there are several sources.
        """
        origin = f" of {self.origin}" if split != self.origin else ""
        source = f" of '{self.source(position)}'" if self.domains else ""
        return f"{split}, row {self.numbers[position]}{origin}{source}"

    def by_source(self, values: np.ndarray) -> np.ndarray:
        """Number (rows,) values so that equal ones of two sources differ; as they are of one."""
        if self.domains is None:
            return values
        _, numbers = np.unique(values, return_inverse=True)
        return numbers * len(self.domains.names) + self.domains.numbers

    @property
    def sources(self) -> np.ndarray | None:
        """(rows,) names of the sources; None where there is one for all."""
        if self.domains is None:
            return None
        names: np.ndarray = np.asarray(self.domains.names, object)[self.domains.numbers]
        return names

    def source(self, position: int) -> str:
        """Name the source of a row; empty where there is one for all."""
        return self.domains.name(position) if self.domains else ""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used.

    Attributes:
        split: train, validation or test.
        location: the row as a message names it.
        row: its position in the split as it was loaded, from 0.
        reason: what is wrong with it.
        source: which of several sources it is of; empty where there is one.
    """

    split: str
    location: str
    row: int
    reason: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"
