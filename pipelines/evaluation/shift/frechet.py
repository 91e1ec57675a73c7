"""How far two domains are apart in mean and covariance: Fréchet distance between Gaussians.

Dowson and Landau, 1982; known as FID where features are Inception's (1706.08500).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FrechetDistance:
    """The squared distance between two domains, beside that within the source.

    Attributes:
        squared: between as many rows of source and target.
        within: between two halves of the source, of as many rows each: what few rows make of no
            difference.
        num_rows: of each side.
        num_dims: of the features.
        shrunk: whether covariances are those of Ledoit and Wolf, since rows are few for so many
            dimensions.
    """

    squared: float
    within: float
    num_rows: int
    num_dims: int
    shrunk: bool

    @classmethod
    def between(cls, source: np.ndarray, target: np.ndarray, seed: int) -> "FrechetDistance":
        """Compare half of the source with the target, and with its other half.

        Args:
            source, target: (rows, dim) features.
        """
        random = np.random.default_rng(seed)
        count = min(len(source) // 2, len(target))
        order = random.permutation(len(source))
        first, second = source[order[:count]], source[order[count : 2 * count]]
        other = target[random.permutation(len(target))[:count]]
        dims = source.shape[1]
        shrunk = count <= dims
        squared, within = (_squared(first, each, shrunk=shrunk) for each in (other, second))
        return cls(squared, within, count, dims, shrunk)

    def lines(self) -> Iterator[str]:
        """Yield the figures, and what they may mean."""
        shrinkage = (
            f"; covariances are shrunk (Ledoit-Wolf): {self.num_rows:,} rows are few for "
            f"{self.num_dims:,} dimensions"
            if self.shrunk
            else ""
        )
        yield (
            f"Fréchet distance: {self.squared:.4g}, and {self.within:.4g} between two halves of "
            f"train ({self.num_rows:,} rows each{shrinkage})"
        )
        yield (
            "  what exceeds that of the halves is a difference of mean or spread; features are not "
            "Gaussian, and equal ones may still differ in other ways"
        )


def _squared(first: np.ndarray, second: np.ndarray, *, shrunk: bool) -> float:
    """Compute |m1 - m2|² + tr(S1 + S2 - 2 (S1^½ S2 S1^½)^½)."""
    covariances = [_covariance(rows.astype(np.float64), shrunk=shrunk) for rows in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    products = np.linalg.eigvalsh(root @ covariances[1] @ root)
    traces = sum(float(np.trace(covariance)) for covariance in covariances)
    means = float(np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2))
    return means + traces - 2 * float(np.sqrt(np.maximum(products, 0)).sum())


def _covariance(rows: np.ndarray, *, shrunk: bool) -> np.ndarray:
    if not shrunk:
        return np.cov(rows, rowvar=False)
    from sklearn.covariance import ledoit_wolf

    covariance: np.ndarray = ledoit_wolf(rows)[0]
    return covariance
