"""Rows that nothing can be learned from: an error, or left out and listed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError
from pipelines.core.processes import from_main
from pipelines.data.dataset import Note
from pipelines.data.rows import BadRow, Rows

if TYPE_CHECKING:
    from datasets import Dataset

# a data set -> (position, reason) of each bad row
FindBadRows = Callable[["Dataset"], Iterable[tuple[int, str]]]
MAX_ROWS_IN_NOTE = 3  # the run folder lists them all


@dataclass
class RowFilter:
    """Removes bad rows, or refuses a data set that has any.

    Attributes:
        skip: remove bad rows instead of refusing them.
        note: is called with what was removed.
        left_out: all rows removed so far.
    """

    skip: bool
    note: Note
    left_out: list[BadRow] = field(default_factory=list)

    def apply(
        self,
        split: str,
        rows: Rows,
        find: FindBadRows,
        problem: str = "cannot be used",
        outcome: str = "left out",
    ) -> Rows:
        """Return `rows` without those that `find` reports.

        Args:
            find: yields (position, reason); a row that is reported twice counts once.
            problem: completes "3 of 100 rows …" in errors.
            outcome: completes it in the note, where they are removed.

        Raises:
            DataError: there is a bad row and `skip` is off, or every row is bad.
        """
        reasons: dict[int, str] = {}
        # only the main process looks, so that all processes drop the same rows
        for position, reason in from_main(lambda: list(find(rows.dataset))):
            # the first reason is enough to find the row
            reasons.setdefault(position, reason)
        if not reasons:
            return rows
        positions = sorted(reasons)
        bad = [
            BadRow(split, rows.location(split, i), int(rows.numbers[i]), reasons[i], rows.source(i))
            for i in positions
        ]
        count = f"{len(bad):,} of {len(rows):,} rows"
        if not self.skip:
            raise DataError(
                f"{bad[0]}; {count} {problem}: fix or remove them, or leave them out with "
                "data.on_bad_row=skip"
            )
        if len(bad) == len(rows):
            raise DataError(f"{bad[0]}; {count} {problem}: nothing is left to use; fix them")
        self.left_out += bad
        self.note(f"{split}: {count} {outcome}: {_examples(bad)}")
        return rows.select(np.delete(np.arange(len(rows)), positions))


def _examples(bad: list[BadRow]) -> str:
    """Return the first bad rows with their reasons."""
    sources = [f" of '{each.source}'" * bool(each.source) for each in bad[:MAX_ROWS_IN_NOTE]]
    pairs = zip(bad, sources, strict=False)
    shown = "; ".join(f"row {each.row}{source}: {each.reason}" for each, source in pairs)
    return shown + "; …" * (len(bad) > MAX_ROWS_IN_NOTE)
