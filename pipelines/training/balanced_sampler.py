"""Draw rows so that an epoch sees each class as often as any other."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler


def expected_draws(groups: Sequence[np.ndarray], num_rows: int) -> np.ndarray:
    """Return (num_rows,) how often an epoch draws each row on average: weights, for solvers."""
    draws = np.zeros(num_rows)
    for rows in groups:
        draws[rows] += num_rows / (len(groups) * len(rows))
    return draws


class BalancedSampler(Sampler[int]):
    """Class-aware sampling (arXiv 1512.05830): every group of rows has the same share of an epoch.

    An epoch is as long as train. Within a group no row is drawn again before all the others have
    been, and a large group contributes another part of its rows to each epoch.

    The order follows from seed and epoch alone, so that a resumed run continues it, and all
    processes, which take turns at its batches, agree on it.

    Args:
        groups: rows of each class; a row may be in several.
        num_rows: the length of an epoch.
    """

    def __init__(self, groups: Sequence[np.ndarray], num_rows: int, seed: int) -> None:
        self.groups, self.num_rows, self.seed, self.epoch = groups, num_rows, seed, 0

    def __len__(self) -> int:
        return self.num_rows

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the rows; the data loader calls it before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        share, rest = divmod(self.num_rows, len(self.groups))
        # which groups give one row more is drawn, too: always the same would be seen more often
        gives_more = torch.randperm(len(self.groups), generator=generator) < rest
        drawn = [
            _draw(torch.from_numpy(rows), share + int(more), generator)
            for rows, more in zip(self.groups, gives_more, strict=True)
        ]
        order = torch.cat(drawn)
        yield from order[torch.randperm(len(order), generator=generator)].tolist()


def _draw(rows: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `count` of `rows`, each of them once before any is drawn again."""
    rounds = -(-count // len(rows))
    # a permutation in each line; one call, since a class of one row takes thousands of rounds
    orders = torch.rand(rounds, len(rows), generator=generator).argsort(dim=1)
    return rows[orders].flatten()[:count]
