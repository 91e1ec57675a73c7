"""Whether features of two domains are drawn alike: maximum mean discrepancy.

Gretton et al., "A kernel two-sample test", JMLR 2012: an RBF kernel whose width is the median
distance, the unbiased estimate, and a permutation test.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.shift.domain_classifier import SIGNIFICANCE
from pipelines.evaluation.shift.samples import balanced

MAX_ROWS = 500  # of each domain: the kernel has as many squared
NUM_PERMUTATIONS = 499


@dataclass(frozen=True)
class MeanDiscrepancy:
    """The squared discrepancy of two samples.

    Attributes:
        squared: the unbiased estimate, which may be below 0 where domains are alike.
        p_value: the share of permutations of the domains whose estimate is as large.
        num_rows: how many rows of each domain were compared.
    """

    squared: float
    p_value: float
    num_rows: int

    @classmethod
    def estimate(cls, source: np.ndarray, target: np.ndarray, seed: int) -> "MeanDiscrepancy":
        """Compare as many rows of each: (rows, dim) features."""
        random = np.random.default_rng(seed)
        drawn = balanced(source, target, random, MAX_ROWS)
        count = len(drawn[0])
        kernel = _kernel(np.concatenate(drawn).astype(np.float64))
        # k(x, x) says nothing of the distance between domains
        np.fill_diagonal(kernel, 0.0)
        domains = np.repeat([1.0, 0.0], count)
        orders = [domains, *(random.permutation(domains) for _ in range(NUM_PERMUTATIONS))]
        first = np.stack(orders, axis=1)  # (rows of both, orders): 1 where a row is of the source
        second = 1 - first
        in_first = (first * (kernel @ first)).sum(axis=0)
        in_second = (second * (kernel @ second)).sum(axis=0)
        between = (first * (kernel @ second)).sum(axis=0)
        pairs = count * (count - 1)
        squared = (in_first + in_second) / pairs - 2 * between / count**2
        as_large = int((squared[1:] >= squared[0]).sum())
        return cls(float(squared[0]), (1 + as_large) / (1 + NUM_PERMUTATIONS), count)

    def lines(self) -> Iterator[str]:
        """Yield the figures, and what they may mean."""
        yield (
            f"MMD²: {self.squared:.4f} (RBF kernel of the median distance, {self.num_rows:,} rows "
            f"of each), p {self.p_value:.3f}"
        )
        if self.p_value > SIGNIFICANCE:
            yield "  no difference is seen in so many rows; a smaller one may be there all the same"
        else:
            yield (
                "  the features are not drawn alike; the size has no unit, and compares only for "
                "the same encoder and the same number of rows"
            )


def _kernel(rows: np.ndarray) -> np.ndarray:
    """Compute (rows, rows) similarities from 0 to 1."""
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(rows, "sqeuclidean")
    width = float(np.median(distances)) or 1.0  # 0: most rows are equal
    similar: np.ndarray = np.exp(-squareform(distances) / width)
    return similar
