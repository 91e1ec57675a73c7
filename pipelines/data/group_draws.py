"""Parts of train that share no group, each with its share of every class as nearly as can be."""

from collections.abc import Sequence

import numpy as np

from pipelines.data.group_counts import GroupCounts


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
    for batch in counts.batches(seed, len(shares)):
        items = counts.of_group(int(batch[0]))
        max_leaving = min((left[value] - 1) // count for value, count in items)
        items.append((whole, int(counts.sizes[batch[0]])))
        parts = _least_full_parts(dealt, items, weights, shares, len(batch))
        if keeper is not None:
            parts = _keep(parts, keeper, max_leaving)
        result[batch] = parts
        _record(parts, items, dealt)
        leaving = sum(part != keeper for part in parts)
        for value, count in items[:-1]:
            left[value] -= leaving * count
    return result[counts.members]


def _least_full_parts(
    dealt: Sequence[Sequence[int]],
    items: Sequence[tuple[int, int]],
    weights: Sequence[float],
    shares: Sequence[float],
    num_groups: int,
) -> list[int]:
    """Choose the parts of equal groups that are dealt one after the other."""
    fullness = [
        _fullness(has, items, weights) / share for has, share in zip(dealt, shares, strict=True)
    ]
    if num_groups == 1:
        return [fullness.index(min(fullness))]
    growth = 2 * sum(count * count * weights[value] for value, count in items)
    return _least_full(fullness, [growth / share for share in shares], num_groups)


def _record(
    parts: Sequence[int], items: Sequence[tuple[int, int]], dealt: Sequence[list[int]]
) -> None:
    """Add what equal groups have to the parts that they went to."""
    for part in set(parts):
        num_groups = parts.count(part)
        for value, count in items:
            dealt[part][value] += num_groups * count


def _least_full(fullness: Sequence[float], growth: Sequence[float], num_groups: int) -> list[int]:
    """Deal equal groups one after the other, each to the first of the parts that are least full.

    Args:
        fullness: (parts,) how full each is now.
        growth: (parts,) by how much a group makes it fuller.

    Returns:
        (num_groups,) their parts.
    """
    # what each part comes to with so many of them; the least ones, in their order, are taken
    reached = np.array(fullness)[:, None] + np.array(growth)[:, None] * np.arange(num_groups)
    order = np.argsort(reached, axis=None, kind="stable")
    parts: list[int] = (order[:num_groups] // num_groups).tolist()
    return parts


def _keep(parts: list[int], keeper: int, max_leaving: int) -> list[int]:
    """Let `max_leaving` groups go to other parts than the keeper, and none after them."""
    if len(parts) - parts.count(keeper) <= max_leaving:
        return parts
    is_late = np.cumsum(np.array(parts) != keeper) > max_leaving
    remaining: list[int] = np.where(is_late, keeper, parts).tolist()
    return remaining


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
    order = counts.in_order(seed)[::-1]
    for group in order[np.argsort(counts.sizes[order], kind="stable")].tolist():
        if all(counts.totals[value] > count for value, count in counts.of_group(group)):
            return np.flatnonzero(counts.members == group)
    return drawn


def halves(values: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Deal whole groups to two halves; of a single group each row by itself.

    Returns:
        (rows,) 0 or 1.
    """
    if len(np.unique(groups)) < 2:
        groups = np.arange(len(values))
    return deal(values, groups, (0.5, 0.5), seed)


def values_of_one_group(values: np.ndarray, groups: np.ndarray) -> int:
    """Count the values all of whose rows are in one group."""
    counts = GroupCounts.of(values, groups)
    return int((np.bincount(counts.values) == 1).sum())
