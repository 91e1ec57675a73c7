"""Which rows train together: batches that hold as many tokens each, not as many rows.

    rows ── noisy lengths ── buckets ── cut at a budget ── shuffle whole batches ──▶ batches

A batch of rows of about one length holds no padding to speak of. The budget is such that there are
as many batches as there would be of equal counts, so that a step sees as many examples on average.
Lengths then go together with steps: whole batches are shuffled, lengths are noisy, and the loss of
a batch counts by how many rows it has (`weight`), so that each example counts as much as any other.
"""

import copy
from collections.abc import Iterator

import numpy as np

NOISE = 0.1  # by which a length may be taken for larger: rows meet other rows in the next epoch
FINE = 3  # bits of a length that its bucket keeps: of 17 to 32 tokens, every second number


class TokenBudget:
    """Batches of row numbers for one process; another order each epoch, the same on every machine.

    An epoch follows from seed and number alone: a resumed run skips what it has seen.

    Args:
        lengths: (rows,) tokens, frames or samples.
        batch_size: rows in a batch on average.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_size: int,
        seed: int,
        process: int = 0,
        num_processes: int = 1,
    ) -> None:
        self.lengths, self.seed = np.maximum(lengths, 1), seed
        self.process, self.num_processes = process, num_processes
        together = -(-len(lengths) // (batch_size * num_processes))
        self.num_batches = min(together * num_processes, len(lengths))
        self.num_batches -= self.num_batches % num_processes  # each process as many
        self.epoch = 0

    def __len__(self) -> int:
        return self.num_batches // self.num_processes

    def __iter__(self) -> Iterator[list[int]]:
        return iter([batch.tolist() for batch in self.all()[self.process :: self.num_processes]])

    @property
    def rows_each(self) -> float:
        """Rows in a batch on average."""
        return len(self.lengths) / self.num_batches

    def seeded(self, seed: int) -> "TokenBudget":
        """The same rows in other batches, from the first epoch on."""
        other = copy.copy(self)
        other.seed, other.epoch = seed, 0
        return other

    def shares(self, accumulated: int = 1) -> np.ndarray:
        """(steps,) rows of this epoch's steps, all processes together; 1 is the usual number."""
        sizes = np.array([len(batch) for batch in self.all()]) / self.rows_each
        starts = np.arange(0, len(sizes), accumulated * self.num_processes)
        return np.add.reduceat(sizes, starts) / np.diff([*starts, len(sizes)])

    def all(self) -> list[np.ndarray]:
        """This epoch's batches of all processes, in turn; every row is in one of them."""
        random = np.random.default_rng([self.seed, self.epoch])
        noisy = self.lengths * random.uniform(1, 1 + NOISE, len(self.lengths))
        sizes = _rounded(noisy) * (1 - 1e-6 * random.random(len(noisy)))  # shuffled in each bucket
        order = np.argsort(-sizes)
        starts = _starts(np.ceil(sizes[order]), self.num_batches)
        batches = np.split(order, starts[1:])
        return [random.permutation(batches[i]) for i in random.permutation(len(batches))]


def _rounded(lengths: np.ndarray) -> np.ndarray:
    """Up to few different numbers: kernels are prepared for each shape that they meet, and in bf16
    on a CPU that takes longer than a batch."""
    step = 2.0 ** np.maximum(0, np.floor(np.log2(np.maximum(lengths - 1, 1))) - FINE)
    return np.ceil(lengths / step) * step


def _starts(lengths: np.ndarray, num_batches: int) -> np.ndarray:
    """Where each of `num_batches` begins among falling lengths, so that the largest is smallest."""
    least, most = 0.0, float(lengths[0] * len(lengths))
    while most - least > 0.25:
        budget = (least + most) / 2
        if len(_cut(lengths, budget, num_batches)) <= num_batches:
            most = budget
        else:
            least = budget
    starts = _cut(lengths, most, num_batches)
    while len(starts) < num_batches:  # halve what has the most rows
        ends = np.append(starts[1:], len(lengths))
        widest = int((ends - starts).argmax())
        middle = (starts[widest] + ends[widest]) // 2
        starts = np.insert(starts, widest + 1, middle)
    return starts


def _cut(lengths: np.ndarray, budget: float, most: int) -> np.ndarray:
    """Starts of the batches that hold `budget` when padded; gives up after `most` of them."""
    starts: list[int] = []
    start = 0
    while start < len(lengths) and len(starts) <= most:
        starts.append(start)
        start += max(1, int(budget // lengths[start]))
    return np.array(starts)
