"""Some of the rows of a data set, in its place: what a fold of train trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.models import forward

EXAMPLE = "example"  # a column of the rows of a task whose examples have several


def examples_of(rows: Any) -> np.ndarray:
    """Return the number of the example that each row is of: a text may have several windows."""
    if EXAMPLE not in getattr(rows, "column_names", ()):
        return np.arange(len(rows))
    return np.asarray(rows[EXAMPLE][:])


@dataclass(frozen=True, eq=False)
class RowSubset:
    """Encoded rows by their numbers in `rows`; nothing is copied.

    Attributes:
        numbers: (rows of this subset,) their numbers in `rows`.
    """

    rows: Any
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, row: int | str) -> Any:
        if row == EXAMPLE:  # which rows belong together, by numbers from 0
            examples = examples_of(self.rows)[self.numbers]
            return np.unique(examples, return_inverse=True)[1].tolist()
        return self.rows[int(self.numbers[int(row)])]

    def __getitems__(self, row_ids: Sequence[int]) -> Any:
        """Read several rows at once, where `rows` can."""
        return forward.take(self.rows, self.numbers[list(row_ids)].tolist())

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """(rows,) lengths; None where all are equal."""
        lengths = forward.lengths(self.rows)
        return None if lengths is None else np.asarray(lengths)[self.numbers]

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that are texts."""
        return list(getattr(self.rows, "column_names", ()))

    @property
    def mixes_lengths(self) -> bool:
        """Whether evaluation may pad rows of several lengths to one batch."""
        return getattr(self.rows, "mixes_lengths", True)

    @cached_property
    def fingerprint(self) -> str | None:
        """A key that is the same in all runs in which the rows are; None where there is none."""
        from datasets.fingerprint import Hasher

        whole = getattr(self.rows, "fingerprint", None)
        return whole and Hasher.hash([whole, self.numbers.tolist()])
