"""Which rows each draw of the bootstrap has (Efron 1979)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NUM_DRAWS = 1000
DRAWS_AT_A_TIME = 100  # held in memory
MAX_UNITS = 10_000  # of rows, that are drawn one by one


@dataclass(frozen=True, eq=False)
class RowDraws:
    """Rows drawn anew with replacement, as many as there are, NUM_DRAWS times.

    What is drawn is a unit: a row or, where rows belong together, a group of them. Of more than
    MAX_UNITS units random blocks are drawn instead: a sum over a block varies as much as its units
    do, so that intervals stay the same and their cost does not grow.

    Attributes:
        num_rows: how many rows there are.
        groups: (num_rows,) equal in rows that belong together; None where none do.
        seed: of the draws; equal seeds on equal rows give equal draws, so that models are paired.
    """

    num_rows: int
    groups: np.ndarray | None = None
    seed: int = 0

    @cached_property
    def units(self) -> np.ndarray:
        """(num_rows,) the unit of each row, from 0."""
        units = np.arange(self.num_rows)
        if self.groups is not None:
            units = np.unique(self.groups, return_inverse=True)[1]
        count = int(units.max(initial=-1)) + 1
        if count > MAX_UNITS:
            blocks = np.random.default_rng(self.seed).permutation(count) % MAX_UNITS
            units = blocks[units]
        return units

    @cached_property
    def num_units(self) -> int:
        """How many units are drawn from."""
        return int(self.units.max(initial=-1)) + 1

    def weights(self) -> Iterator[np.ndarray]:
        """Yield how often each draw has each unit: (DRAWS_AT_A_TIME, num_units) float64."""
        random, shape = np.random.default_rng(self.seed), (DRAWS_AT_A_TIME, self.num_units)
        first = np.arange(DRAWS_AT_A_TIME)[:, None] * self.num_units
        for _ in range(NUM_DRAWS // DRAWS_AT_A_TIME):
            drawn = random.integers(0, self.num_units, shape) + first
            counts = np.bincount(drawn.ravel(), minlength=shape[0] * shape[1])
            yield counts.reshape(shape).astype(float)

    def rows(self, num_draws: int) -> Iterator[np.ndarray]:
        """Yield the positions of the rows of the first `num_draws` draws."""
        positions, num_yielded = np.arange(self.num_rows), 0
        for counts in self.weights():
            for of_units in counts[: num_draws - num_yielded].astype(int):
                yield np.repeat(positions, of_units[self.units])
            num_yielded += len(counts)
            if num_yielded >= num_draws:
                return

    def sum_by_unit(self, rows: "np.ndarray") -> "np.ndarray":
        """Add up (num_rows, sums) values, dense or sparse, by unit: (num_units, sums)."""
        from scipy.sparse import csr_array

        members = (np.ones(self.num_rows), (self.units, np.arange(self.num_rows)))
        return csr_array(members, shape=(self.num_units, self.num_rows)) @ rows
