"""Batches of rows of the target domain, without end."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from pipelines.models import forward
from pipelines.tasks.augmentations import AugmentedCollator


class TargetBatches:
    """Rows in a random order that is another one each time that all were read.

    Which rows a batch has follows from its number alone: a resumed run reads the same.

    Args:
        rows: encoded.
        collate: joins rows into a batch; what mixes rows and their labels is left out.
        seed: of the orders.
    """

    def __init__(self, rows: Any, collate: forward.Collate, seed: int) -> None:
        self.rows, self.seed = rows, seed
        self.collate = collate.collate if isinstance(collate, AugmentedCollator) else collate
        self._order = lru_cache(maxsize=2)(self._shuffled)  # a batch may stand in two of them

    def read(self, start: int, count: int) -> dict[str, Any]:
        """Collate `count` rows from number `start` of the endless sequence on, without labels."""
        places = np.arange(start, start + count)
        rounds, numbers = np.divmod(places, len(self.rows))
        ids = [int(self._order(int(r))[n]) for r, n in zip(rounds, numbers, strict=True)]
        return forward.without_labels(self.collate(forward.take(self.rows, ids)))

    def batches(self, num_rows: int, size: int, device: Any) -> Iterator[dict[str, Any]]:
        """Yield the first `num_rows` of the sequence in batches of at most `size`.

        They differ by one row at most: none is too small to have statistics.
        """
        edges = np.linspace(0, num_rows, ceil(num_rows / size) + 1).astype(int)
        for start, end in pairwise(edges.tolist()):
            batch = self.read(start, end - start)
            yield {name: tensor.to(device) for name, tensor in batch.items()}

    def _shuffled(self, number: int) -> np.ndarray:
        return np.random.default_rng([self.seed, number]).permutation(len(self.rows))
