"""Rows of a target domain, with and without their labels."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.core.labels import IGNORED
from pipelines.data.rows import BadRow, Rows

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Target:
    """Rows of another domain; columns are named by role.

    Attributes:
        unlabeled: what a model may be adapted to: inputs alone.
        labeled: what the result is scored on, once; None where the target has no labels.
        key: the section of the recipe that names it.
        skip: leave out bad rows instead of refusing them.
        left_out: bad rows that were removed.
    """

    unlabeled: Rows
    labeled: Rows | None
    key: str = "data.target"
    skip: bool = False
    left_out: tuple[BadRow, ...] = ()

    @property
    def to_encode(self) -> "Dataset":
        """The unlabeled rows in the form that tasks encode: with a label that stands for none."""
        dataset = self.unlabeled.dataset
        return dataset.add_column("label", [IGNORED] * len(dataset))

    def without_labels(self) -> "Target":
        """Leave out what is scored: whatever chooses must not see it."""
        return replace(self, labeled=None)
