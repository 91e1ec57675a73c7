"""Some rows of a data set: what a model computed of them, as tensors that a file can hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    Values = dict[str, torch.Tensor]
    Column = Sequence[torch.Tensor] | torch.Tensor

# keys of a chunk beside its columns, whose names have no dots
ROWS, SIZES = ".rows", ".sizes"


@dataclass(frozen=True)
class Chunk:
    """Some rows of a data set.

    Attributes:
        values: name -> (rows, …). Where rows have several entries each, all entries in one tensor
            (entries, …), and their numbers (rows,) under the name with `SIZES`.
    """

    values: "Values"

    @cached_property
    def row_ids(self) -> np.ndarray:
        """The numbers of its rows in the data set, (rows,)."""
        return self.values[ROWS].numpy()

    @cached_property
    def bounds(self) -> "dict[str, list[int]]":
        """Where the entries of each row begin, for columns whose rows have several."""
        sizes = {n.removesuffix(SIZES): v for n, v in self.values.items() if n.endswith(SIZES)}
        return {name: [0, *size.cumsum(0).tolist()] for name, size in sizes.items()}

    def entry(self, name: str, position: int) -> "torch.Tensor":
        """Select the entry, or entries, of the row at a position in this chunk."""
        if name not in self.bounds:
            return self.values[name][position]
        start, stop = self.bounds[name][position : position + 2]
        return self.values[name][start:stop]

    def has_several(self, name: str) -> bool:
        """Return whether the rows of a column have several entries each."""
        return name + SIZES in self.values

    def entries(self, name: str) -> "Column":
        """Split a column into one entry for each row."""
        sizes = self.values.get(name + SIZES)
        return self.values[name] if sizes is None else self.values[name].split(sizes.tolist())


def merge(pending: "list[tuple[list[int], dict[str, Any]]]") -> "Values":
    """Concatenate the rows of several batches, column by column.

    safetensors holds flat tensors only: rows of several entries are laid end to end.
    """
    import torch

    row_ids: list[int] = []
    for batch_ids, _ in pending:
        row_ids += batch_ids
    values = {ROWS: torch.tensor(row_ids)}
    for name in pending[0][1]:
        columns = [entries[name] for _, entries in pending]
        if all(_is_tensor(column) for column in columns):
            values[name] = torch.cat(columns).contiguous()
            continue
        entries = list(chain.from_iterable(columns))
        values[name] = torch.cat(entries).contiguous()
        values[name + SIZES] = torch.tensor([len(entry) for entry in entries])
    return values


def _is_tensor(entries: Any) -> bool:
    """Return whether all rows are of one shape."""
    import torch

    return isinstance(entries, torch.Tensor)


def num_bytes(entries: "Column") -> int:
    """Count the bytes of a column."""
    return entries.nbytes if _is_tensor(entries) else sum(entry.nbytes for entry in entries)  # type: ignore[union-attr]
