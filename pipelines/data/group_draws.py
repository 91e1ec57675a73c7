"""Parts of train that share no group, each with its share of every class as nearly as can be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
    """

    members: np.ndarray
    sizes: np.ndarray
    totals: np.ndarray
    starts: list[int]
    values: list[int]
    counts: list[int]

    @classmethod
    def of(cls, values: np.ndarray, groups: np.ndarray) -> "GroupCounts":
        """Count (rows,) values in (rows,) groups."""
        _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        _, ids, totals = np.unique(values, return_inverse=True, return_counts=True)
        pairs, counts = np.unique(members * len(totals) + ids, return_counts=True)
        owners, held = np.divmod(pairs, len(totals))
        order = np.lexsort((-counts, owners))
        starts = np.searchsorted(owners, np.arange(len(sizes) + 1))
        listed = held[order].tolist(), counts[order].tolist()
        return cls(members, sizes, totals, starts.tolist(), *listed)

    def of_group(self, group: int) -> list[tuple[int, int]]:
        """List the values of a group, each with its number of rows."""
        entries = slice(self.starts[group], self.starts[group + 1])
        return [*zip(self.values[entries], self.counts[entries], strict=True)]

    def in_order(self, seed: int) -> list[int]:
        """Order groups for dealing: large ones first, then those of one value together.

        Sizes count by their powers of two, so that chance has its part with any seed.
        """
        chance = np.random.default_rng(seed).random(len(self.sizes))
        main = np.asarray(self.values)[self.starts[:-1]]
        order: list[int] = np.lexsort((chance, main, -np.log2(self.sizes).astype(int))).tolist()
        return order


def deal(
    values: np.ndarray,
    groups: np.ndarray,
    shares: Sequence[float],
    seed: int,
    *,
    keeper: int | None = None,
) -> np.ndarray:
    """Deal whole groups to parts so that each has its share of all rows and of each value.

    One after the other they go to the part that lacks their values most, by the divisors of
    Sainte-Laguë, which favor neither large parts nor small ones.

    Args:
        values: (rows,) the value of each row to deal in proportion.
        groups: (rows,) of equal ones all rows are in one part.
        shares: (parts,) of the rows, which add up to 1.
        keeper: the part that keeps a row of each value.

    Returns:
        (rows,) the part of each row, from 0. Without `keeper` no part is empty, if there are as
        many groups.
    """
    counts = GroupCounts.of(values, groups)
    whole = len(counts.totals)  # the place of rows of any value
    # which weigh as much as an average value, so that what each value rounds adds up
    weights = [*(1 / counts.totals).tolist(), whole / len(values)]
    dealt = [[0] * (whole + 1) for _ in shares]
    left = counts.totals.tolist()
    result = np.zeros(len(counts.sizes), dtype=int)
    for group in counts.in_order(seed):
        items = counts.of_group(group)
        may_leave = keeper is None or all(left[value] > count for value, count in items)
        items.append((whole, int(counts.sizes[group])))
        part = keeper or 0
        if may_leave:
            fullness = [
                _fullness(has, items, weights) / share
                for has, share in zip(dealt, shares, strict=True)
            ]
            part = fullness.index(min(fullness))
        result[group] = part
        for value, count in items:
            dealt[part][value] += count
            if part != keeper and value < whole:
                left[value] -= count
    return result[counts.members]


def _fullness(
    dealt: Sequence[int], items: Sequence[tuple[int, int]], weights: Sequence[float]
) -> float:
    """Measure how much a part has of what comes to it, half of that counted in."""
    return sum(count * (2 * dealt[value] + count) * weights[value] for value, count in items)


def cut(values: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw whole groups with about this share of the rows; the others keep one of each value.

    Returns:
        (drawn,) sorted positions: at least those of one group, unless no group may leave.
    """
    drawn = np.flatnonzero(deal(values, groups, (1 - share, share), seed, keeper=0))
    if len(drawn):
        return drawn
    counts = GroupCounts.of(values, groups)
    for group in reversed(counts.in_order(seed)):
        if all(counts.totals[value] > count for value, count in counts.of_group(group)):
            return np.flatnonzero(counts.members == group)
    return drawn


def values_of_one_group(values: np.ndarray, groups: np.ndarray) -> int:
    """Count the values all of whose rows are in one group."""
    counts = GroupCounts.of(values, groups)
    return int((np.bincount(counts.values) == 1).sum())
