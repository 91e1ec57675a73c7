"""The data of a run: train, validation and test sets with their labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelines.core.labels import Labels
from pipelines.data.rows import BadRow, Rows
from pipelines.data.unused_texts import UnusedText
from pipelines.data.usual_columns import Columns

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.data.target_rows import Target

Note = Callable[[str], None]  # records a decision that the user should hear about


@dataclass(frozen=True)
class Data:
    """Disjoint train, validation and test sets; columns are named by their role in the task.

    Attributes:
        splits: "train", "test" if there is one, and "validation" unless folds stand in for it.
        labels: what there is to predict.
        notes: decisions made for the user, to be printed.
        source_splits: split -> its name in the source, or the share of train it was cut from.
        left_out: bad rows that were removed from the splits.
        unused_texts: column of texts that no role takes -> what it holds.
        stream: all of train, if it is streamed; `splits["train"]` then holds its first rows only.
        num_folds: how many folds of train stand in for a validation split; 0: there is one.
        target: rows of another domain, to be adapted to; None where the recipe has none.
        columns: role -> the column of train that has it.
    """

    splits: Mapping[str, Rows]
    labels: Labels
    notes: tuple[str, ...]
    source_splits: Mapping[str, str | float]
    left_out: tuple[BadRow, ...] = ()
    unused_texts: Mapping[str, UnusedText] = field(default_factory=dict)
    stream: "IterableDataset | None" = None
    num_folds: int = 0
    target: "Target | None" = None
    columns: Columns = field(default_factory=dict)

    @property
    def datasets(self) -> "dict[str, Dataset]":
        """The data set of each split, without row numbers."""
        return {split: rows.dataset for split, rows in self.splits.items()}

    @property
    def train(self) -> "Dataset":
        """The set to train on; of a stream, its first rows."""
        return self.splits["train"].dataset

    @property
    def is_folded(self) -> bool:
        """Whether folds of train stand in for a validation split."""
        return "validation" not in self.splits

    @property
    def validation(self) -> "Dataset":
        """The set that chooses checkpoints and hyperparameters: train itself if it is folded."""
        return self.splits["train" if self.is_folded else "validation"].dataset

    @property
    def test(self) -> "Dataset | None":
        """The set that is scored once, at the end; None if there is none."""
        return self.splits["test"].dataset if "test" in self.splits else None

    def without(self, split: str) -> "Data":
        """Drop one split and leave the others unchanged."""
        others = {name: rows for name, rows in self.splits.items() if name != split}
        return replace(self, splits=others)

    def without_target_labels(self) -> "Data":
        """Drop what would be scored of the target."""
        return replace(self, target=self.target and self.target.without_labels())
