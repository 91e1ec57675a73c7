"""Two rows of a class, drawn when they are needed: a batch holds all pairs to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.models import forward


@dataclass(frozen=True)
class Pairs:
    """A data set of pairs of rows, of one class each, that exists only as far as it is read.

    Which rows a pair has follows from the seed and its number alone, so that a resumed run and all
    processes agree. Classes take turns: of as many pairs as there are classes, each has one. Within
    a class no row is drawn again before the others have been, but for one of an odd number.

    Attributes:
        rows: encoded rows.
        groups: the rows of each class.
        num_pairs: the length of an epoch.
    """

    rows: Any
    groups: Sequence[np.ndarray]
    num_pairs: int
    seed: int

    def __len__(self) -> int:
        return self.num_pairs

    def __getitems__(self, numbers: Sequence[int]) -> Any:
        """Read the rows of some pairs, those of a pair beside each other."""
        return forward.take(self.rows, [row for n in numbers for row in self.pair(n)])

    @property
    def lengths(self) -> np.ndarray | None:
        """(pairs,) length of the longer row of each."""
        lengths = forward.lengths(self.rows)
        if lengths is None:
            return None
        return np.array([max(lengths[self.pair(n)]) for n in range(self.num_pairs)])

    def pair(self, number: int) -> list[int]:
        """Draw the two rows of a pair; of a class with a single row it is that row twice."""
        turn, place = divmod(number, len(self.groups))
        group = self._shuffled(turn, len(self.groups))[place]
        rows = self.groups[group]
        if len(rows) == 1:
            return [int(rows[0])] * 2
        cycle, place = divmod(turn, len(rows) // 2)
        order = self._shuffled(cycle, len(rows), group + 1)
        return [int(row) for row in rows[order[2 * place : 2 * place + 2]]]

    def _shuffled(self, turn: int, size: int, stream: int = 0) -> np.ndarray:
        return np.random.default_rng((self.seed, stream, turn)).permutation(size)
