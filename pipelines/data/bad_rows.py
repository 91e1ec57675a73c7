"""Rows that nothing can be learned from: an error, or left out and listed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.console import from_main
from pipelines.core.errors import DataError
from pipelines.data.rows import Rows

if TYPE_CHECKING:
    from datasets import Dataset

Note = Callable[[str], None]
Find = Callable[["Dataset"], Iterable[tuple[int, str]]]
TOLD = 3  # rows in a note; all of them stand in the run folder


@dataclass(frozen=True)
class BadRow:
    """One row and what is wrong with it; `row` counts in the split as it was loaded."""

    part: str
    place: str
    row: int
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass
class RowFilter:
    """Keeps bad rows out.

    Attributes:
        skip: leave them out instead of refusing them.
        left_out: the rows that were.
    """

    skip: bool
    note: Note
    left_out: list[BadRow] = field(default_factory=list)

    def sift(self, part: str, rows: Rows, find: Find, said: str = "cannot be used") -> Rows:
        """`rows` without those that `find` gives as (position, why).

        The main process looks for all; a row that is found twice counts once.

        Raises:
            DataError: there is one and `skip` is off, or nothing else is left.
        """
        found: dict[int, str] = {}
        for position, why in from_main(lambda: list(find(rows.dataset))):
            found.setdefault(position, why)
        if not found:
            return rows
        bad = [
            BadRow(part, rows.place(part, i), int(rows.numbers[i]), found[i]) for i in sorted(found)
        ]
        count = f"{len(bad):,} of {len(rows):,} rows"
        if not self.skip:
            raise DataError(
                f"{bad[0]}; {count} {said}: mend or drop them, or leave them "
                "out with data.on_bad_row=skip"
            )
        if len(bad) == len(rows):
            raise DataError(f"{bad[0]}; {count} {said}: nothing is left")
        told = "; ".join(f"row {one.row}: {one.why}" for one in bad[:TOLD])
        self.note(f"{part}: {count} left out: {told}" + "; …" * (len(bad) > TOLD))
        self.left_out += bad
        return rows.select(np.delete(np.arange(len(rows)), sorted(found)))
