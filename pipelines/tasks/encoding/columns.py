"""Encoded texts as columns: a batch is cut out of flat arrays, without touching single rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines.core.upstream import dataset_fingerprint

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

Row = Mapping[str, Any]


class Ragged(NamedTuple):
    """Lists of different lengths, joined into one array."""

    values: np.ndarray
    lengths: np.ndarray  # (lists,)


class ListColumn:
    """A column of lists of numbers, in the chunks of the memory-mapped file.

    Attributes:
        lists_per_row: 1, or a fixed number where rows are lists of lists.
        values: the numbers of each chunk; a file may hold more than the column.
    """

    def __init__(self, column: "pa.ChunkedArray") -> None:
        from pyarrow.types import is_list

        chunks = column.chunks
        if is_list(column.type.value_type):
            # `flatten`, unlike `values`, leaves out the lists that a slice has cut off
            chunks = [chunk.flatten() for chunk in chunks]
        offsets = [chunk.offsets.to_numpy() for chunk in chunks]
        self.values = [chunk.values.to_numpy() for chunk in chunks]
        self._chunk = np.repeat(np.arange(len(chunks)), [len(chunk) for chunk in chunks])
        self._starts = np.concatenate([bounds[:-1] for bounds in offsets])
        self._stops = np.concatenate([bounds[1:] for bounds in offsets])
        self.lists_per_row = len(self._starts) // len(column)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(rows,) length of each row's list; of the longest, where a row has several."""
        return (self._stops - self._starts).reshape(-1, self.lists_per_row).max(axis=1)

    def take(self, rows: Sequence[int]) -> Ragged:
        """Copy the lists of the given rows."""
        per_row = self.lists_per_row
        lists = (np.asarray(rows)[:, None] * per_row + np.arange(per_row)).ravel()
        starts, stops = self._starts[lists], self._stops[lists]
        bounds = zip(self._chunk[lists].tolist(), starts.tolist(), stops.tolist(), strict=True)
        values = [self.values[chunk][start:stop] for chunk, start, stop in bounds]
        return Ragged(np.concatenate(values), stops - starts)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Iterate over the lists, as views of the file."""
        for chunk, start, stop in zip(self._chunk, self._starts, self._stops, strict=True):
            yield self.values[chunk][start:stop]


class EncodedTexts:
    """The rows of an encoded Dataset: single rows as it returns them, batches as columns.

    rows[3], rows["labels"][:]      read by `datasets`: Python lists
    rows.lists("input_ids")         flat arrays, not copied from the file
    rows.__getitems__([3, 5])       what a DataLoader calls; a `Padding` makes the batch
    """

    def __init__(self, rows: "Dataset") -> None:
        self.column_names: list[str] = rows.column_names
        self._rows = rows
        self._columns: dict[str, ListColumn | np.ndarray] = {}

    def __reduce__(self) -> Any:
        # a worker maps the file again: pickled arrays would be copies of it
        return EncodedTexts, (self._rows,)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        return self._rows[key]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __getitems__(self, row_ids: Sequence[int]) -> "SelectedRows":
        return SelectedRows(self, row_ids)

    @property
    def fingerprint(self) -> str:
        """A key that is the same in all runs in which the rows are the same."""
        return dataset_fingerprint(self._rows)

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) number of tokens; of a row's longest choice, where it has several."""
        return self.lists("input_ids").lengths

    def lists(self, name: str) -> ListColumn:
        """Return a column of lists."""
        column = self.column(name)
        assert isinstance(column, ListColumn)
        return column

    def column(self, name: str) -> ListColumn | np.ndarray:
        """Return a column of lists, or an array (rows,) of numbers."""
        if name not in self._columns:
            from pyarrow.types import is_list

            column = self._rows.select_columns([name]).with_format("arrow")[:][name]
            is_lists = is_list(column.type)
            self._columns[name] = ListColumn(column) if is_lists else column.to_numpy()
        return self._columns[name]


@dataclass(frozen=True, eq=False)
class SelectedRows:
    """Rows of `texts` by number; nothing is read before `take_columns`."""

    texts: EncodedTexts
    row_ids: Sequence[int]


def take_columns(
    rows: SelectedRows | Sequence[Row], names: Iterable[str]
) -> dict[str, Ragged | np.ndarray]:
    """Read those of the columns `names` that the rows have.

    Rows are `SelectedRows` or, from a stream, single rows.
    """
    columns: dict[str, Ragged | np.ndarray] = {}
    for name in names:
        if isinstance(rows, SelectedRows):
            if name in rows.texts.column_names:
                columns[name] = rows.texts.column(name).take(rows.row_ids)
        elif name in rows[0]:
            columns[name] = _join([row[name] for row in rows])
    return columns


def _join(values: list[Any]) -> Ragged | np.ndarray:
    if not isinstance(values[0], list | np.ndarray):
        return np.array(values)
    if len(values[0]) and isinstance(values[0][0], list):
        values = [*chain.from_iterable(values)]
    return Ragged(np.array([*chain.from_iterable(values)]), np.array([*map(len, values)]))
