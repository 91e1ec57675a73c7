"""What a simple model reads of examples, one file for each modality: no checkpoint, no GPU.

examples ── read ──▶ one entry for each ── transformer, fitted on train ──▶ numbers
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from datasets import Dataset


class SimpleFeatures:
    """Base class of them."""

    name: ClassVar[str]  # such as "bag of words"
    max_train_rows: ClassVar[int]  # of train that are read; more cost time
    max_scored_rows: ClassVar[int]  # of validation and test together; with more it is left out

    def obstacle(self, rows: Any) -> str | None:
        """Return why reading these encoded rows would take long; None where it does not."""
        return None

    def read(self, dataset: "Dataset", rows: Any, chosen: Sequence[int]) -> Any:
        """Read one entry for each chosen example; `rows` are the encoded `dataset`."""
        raise NotImplementedError

    def transformer(self, max_features: int) -> Any:
        """Return an unfitted transformer of scikit-learn: entries -> (examples, features)."""
        raise NotImplementedError
