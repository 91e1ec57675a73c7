"""Features of a split and their targets, as heads are solved on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class HeadDataset:
    """Features of a split and their targets, flat over all examples.

    Attributes:
        features: pooling -> (targets, dim).
        targets: (targets,) class ids or numbers, or (targets, classes) of 0 and 1.
        sizes: number of targets of each example; None where that is one.
    """

    features: dict[str, np.ndarray]
    targets: np.ndarray
    sizes: list[int] | None

    @classmethod
    def of(
        cls, features: dict[str, Any], labels: Any, by_token: bool, is_regression: bool
    ) -> "HeadDataset":
        """Flatten the features and labels of an `Extractor`."""
        sizes = [len(row) for row in labels] if by_token else None
        if by_token:
            features = {pooling: np.concatenate(list(f)) for pooling, f in features.items()}
            labels = np.concatenate(list(labels))
        # passes give float32 for whatever they collect, class ids included
        return cls(features, labels if is_regression else labels.astype(int), sizes)

    def by_example(self, logits: np.ndarray) -> Any:
        """Split (targets, classes) logits into an entry for each example."""
        if self.sizes is None:
            return logits
        # the last sum is the total, at which a cut would add an empty entry
        return np.split(logits, np.cumsum(self.sizes)[:-1])
