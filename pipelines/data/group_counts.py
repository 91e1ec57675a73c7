"""Groups of rows and the values in them, in the order in which they are dealt."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MAX_BATCH_CELLS = 1_000_000  # groups times parts that are compared at once


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """How many rows of each value every group has.

    Attributes:
        members: (rows,) the group of each row, from 0.
        sizes: (groups,) how many rows a group has.
        totals: (values,) how many rows a value has.
        starts: (groups + 1,) where the entries of each group begin in the next two.
        values: (entries,) a value that a group has, the most frequent one of it first.
        counts: (entries,) in how many of its rows.
        kinds: (groups,) equal for groups with as many rows of each value, from 0.
    """

    members: np.ndarray
    sizes: np.ndarray
    totals: np.ndarray
    starts: list[int]
    values: list[int]
    counts: list[int]
    kinds: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, groups: np.ndarray) -> "GroupCounts":
        """Count (rows,) values in (rows,) groups."""
        _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        _, ids, totals = np.unique(values, return_inverse=True, return_counts=True)
        pairs, counts = np.unique(members * len(totals) + ids, return_counts=True)
        owners, held = np.divmod(pairs, len(totals))
        order = np.lexsort((-counts, owners))
        starts = np.searchsorted(owners, np.arange(len(sizes) + 1))
        _, entry_kinds = np.unique(held * len(values) + counts - 1, return_inverse=True)
        # a sum of 64 random bits for each entry: of a million groups two different ones have the
        # same with probability 3e-8
        bits = np.random.default_rng(0).integers(0, 2**64, entry_kinds.max() + 1, np.uint64)
        sums = np.add.reduceat(bits[entry_kinds], starts[:-1])
        kinds = np.unique(sums, return_inverse=True)[1]
        listed = held[order].tolist(), counts[order].tolist()
        return cls(members, sizes, totals, starts.tolist(), *listed, kinds)

    def of_group(self, group: int) -> list[tuple[int, int]]:
        """List the values of a group, each with its number of rows."""
        entries = slice(self.starts[group], self.starts[group + 1])
        return [*zip(self.values[entries], self.counts[entries], strict=True)]

    def in_order(self, seed: int) -> np.ndarray:
        """Order groups for dealing: large ones first, then those of one value, and kind, together.

        Sizes count by their powers of two, so that chance has its part with any seed.
        """
        random = np.random.default_rng(seed)
        chance = random.random(len(self.sizes))
        kinds = random.permutation(self.kinds.max() + 1)[self.kinds]
        main = np.asarray(self.values)[self.starts[:-1]]
        return np.lexsort((chance, kinds, main, -np.log2(self.sizes).astype(int)))

    def batches(self, seed: int, num_parts: int) -> Iterator[np.ndarray]:
        """Yield the groups in order, those of one kind at once."""
        order, max_groups = self.in_order(seed), max(1, MAX_BATCH_CELLS // num_parts)
        kinds = self.kinds[order]
        firsts = (np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist()
        for start, stop in pairwise((0, *firsts, len(order))):
            for first in range(start, stop, max_groups):
                yield order[first : min(stop, first + max_groups)]
