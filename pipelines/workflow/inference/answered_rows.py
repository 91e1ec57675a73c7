"""Rows with their predictions, and how many there are."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


MAX_SHOWN_REASONS = 3


@dataclass(frozen=True)
class AnsweredRows:
    """Some rows with what the model predicts for them, in the order of the input.

    Attributes:
        table: all columns as they were read, and those of the predictions.
        bad: the rows that cannot be predicted: all columns, the number of the row in the input,
            from 0, and the reason.
    """

    table: "pa.Table"
    bad: "pa.Table"


@dataclass
class Tally:
    """How many rows were predicted, and why others were not."""

    total: int
    num_predicted: int = 0
    num_bad: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many rows were looked at so far."""
        return self.num_predicted + self.num_bad

    def add(self, chunk: AnsweredRows) -> None:
        """Count the rows of a chunk."""
        self.num_predicted += len(chunk.table)
        self.num_bad += len(chunk.bad)
        shown = chunk.bad.slice(0, MAX_SHOWN_REASONS - len(self.reasons))
        *_, rows, reasons = shown.columns
        self.reasons += [f"row {row}: {reason}" for row, reason in zip(rows, reasons, strict=True)]

    def __str__(self) -> str:
        shown = "; ".join(self.reasons) + "; …" * (self.num_bad > len(self.reasons))
        return f"{self.num_bad:,} of {self.total:,} rows cannot be predicted: {shown}"

    def check(self) -> None:
        """Refuse an input of which nothing could be predicted.

        Raises:
            DataError: gives the first reasons.
        """
        if self.num_bad and not self.num_predicted:
            raise DataError(str(self))
