"""Encoded rows as columns: a batch is cut out of flat arrays, and no row is looked at alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

Row = Mapping[str, Any]


class Ragged(NamedTuple):
    """Lists of different lengths: the values of all, one list after the other."""

    values: np.ndarray
    lengths: np.ndarray  # (lists,)


class Lists:
    """A column of lists of numbers, in the chunks of the file that is mapped into memory.

    Attributes:
        each: how many lists a row has: one, or a fixed number where rows are lists of lists.
        values: the numbers of each chunk; a file may hold more than the column.
    """

    def __init__(self, column: "pa.ChunkedArray") -> None:
        from pyarrow.types import is_list

        chunks = column.chunks
        if is_list(column.type.value_type):
            chunks = [chunk.flatten() for chunk in chunks]
        offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self.values = [chunk.values.to_numpy() for chunk in chunks]
        self._chunk = np.repeat(np.arange(len(chunks)), [len(chunk) for chunk in chunks])
        self._starts = np.concatenate([bounds[:-1] for bounds in offsets])
        self._stops = np.concatenate([bounds[1:] for bounds in offsets])
        self.each = len(self._starts) // len(column)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(rows,) the length of each; of its longest list, where it has several."""
        return (self._stops - self._starts).reshape(-1, self.each).max(axis=1)

    def take(self, rows: Sequence[int]) -> Ragged:
        """The lists of some rows."""
        lists = (np.asarray(rows)[:, None] * self.each + np.arange(self.each)).ravel()
        starts, stops = self._starts[lists], self._stops[lists]
        parts = zip(self._chunk[lists].tolist(), starts.tolist(), stops.tolist(), strict=True)
        values = [self.values[chunk][start:stop] for chunk, start, stop in parts]
        return Ragged(np.concatenate(values), stops - starts)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Each list, as a view of the file."""
        for chunk, start, stop in zip(self._chunk, self._starts, self._stops, strict=True):
            yield self.values[chunk][start:stop]


class Columns:
    """The rows of a Dataset, one by one as it gives them, and in batches as columns.

    rows[3], rows["labels"][:]      read by `datasets`: Python's lists
    rows.lists("input_ids")         flat arrays, not copied from the file
    rows.__getitems__([3, 5])       what a DataLoader asks for: put together by a `Padding`
    """

    def __init__(self, rows: "Dataset") -> None:
        self.column_names: list[str] = rows.column_names
        self._rows = rows
        self._columns: dict[str, Lists | np.ndarray] = {}

    def __reduce__(self) -> Any:
        return Columns, (self._rows,)  # a worker maps the file again

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        return self._rows[key]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __getitems__(self, numbers: Sequence[int]) -> "Chosen":
        return Chosen(self, numbers)

    @property
    def fingerprint(self) -> str:
        """The same in all runs in which the rows are the same."""
        return self._rows._fingerprint

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) tokens of each; of its longest choice, where it has several."""
        return self.lists("input_ids").lengths

    def lists(self, name: str) -> Lists:
        """A column of lists."""
        column = self.column(name)
        assert isinstance(column, Lists)
        return column

    def column(self, name: str) -> Lists | np.ndarray:
        """A column of lists, or (rows,) numbers."""
        if name not in self._columns:
            from pyarrow.types import is_list

            column = self._rows.select_columns([name]).with_format("arrow")[:][name]
            self._columns[name] = Lists(column) if is_list(column.type) else column.to_numpy()
        return self._columns[name]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some rows of `columns`; nothing of them is read yet."""

    columns: Columns
    numbers: Sequence[int]


def by_column(rows: Chosen | Sequence[Row], names: Iterable[str]) -> dict[str, Ragged | np.ndarray]:
    """Those of the columns that there are; rows of a stream come one by one."""
    if isinstance(rows, Chosen):
        there = [name for name in names if name in rows.columns.column_names]
        return {name: rows.columns.column(name).take(rows.numbers) for name in there}
    return {name: _column([row[name] for row in rows]) for name in names if name in rows[0]}


def _column(values: list[Any]) -> Ragged | np.ndarray:
    if not isinstance(values[0], list | np.ndarray):
        return np.array(values)
    if len(values[0]) and isinstance(values[0][0], list):
        values = [*chain.from_iterable(values)]
    return Ragged(np.array([*chain.from_iterable(values)]), np.array([*map(len, values)]))
