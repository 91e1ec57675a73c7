"""Two rows of a class, drawn when they are needed: a batch holds all pairs to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
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

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """(pairs,) length of the longer row of each."""
        lengths = forward.lengths(self.rows)
        if lengths is None:
            return None
        return np.array([max(lengths[self.pair(n)]) for n in range(self.num_pairs)])

    def pair(self, number: int) -> list[int]:
        """Draw the two rows of a pair; of a class with a single row it is that row twice."""
        turn, place = divmod(number, len(self.groups))
        group = int(_shuffled(self.seed, 0, turn, len(self.groups))[place])
        rows = self.groups[group]
        if len(rows) == 1:
            return [int(rows[0])] * 2
        cycle, place = divmod(turn, len(rows) // 2)
        order = _shuffled(self.seed, group + 1, cycle, len(rows))
        return [int(row) for row in rows[order[2 * place : 2 * place + 2]]]


# a class goes through one order for as many pairs as half its rows
@lru_cache(maxsize=1024)
def _shuffled(seed: int, stream: int, turn: int, size: int) -> np.ndarray:
    return np.random.default_rng((seed, stream, turn)).permutation(size)
