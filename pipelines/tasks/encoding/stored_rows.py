"""Encoded rows of tensors of any shape, stored on disk with one tensor for each column."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipelines.core import cache

if TYPE_CHECKING:
    import torch

    TensorRow = dict[str, "torch.Tensor"]

KIND, SHAPES = "encoded", ".shapes"


class StoredRows:
    """Rows of tensors, cut out of one flat tensor for each column.

    rows = StoredRows.load_or_encode(key, encode_all)
    rows[3]                                     the row's tensors by name
    """

    # Columns are flat because workers share each tensor by a file descriptor: a tensor for each
    # row would need thousands of them.
    def __init__(self, columns: "TensorRow") -> None:
        self.values = {name: t for name, t in columns.items() if not name.endswith(SHAPES)}
        self.shapes = {name: columns[name + SHAPES].tolist() for name in self.values}
        # sums of sizes: row i lies between entries i and i + 1
        self.starts = {
            name: [0, *columns[name + SHAPES].prod(1).cumsum(0).tolist()] for name in self.values
        }

    @classmethod
    def load_or_encode(cls, key: str, encode: "Callable[[], Iterable[TensorRow]]") -> "StoredRows":
        """Load the rows stored under `key`, or store those that `encode` returns."""
        return cls(cache.tensors(KIND, key, lambda: _flatten(encode())))

    @staticmethod
    def is_stored(key: str) -> bool:
        """Tell whether rows are stored under `key`."""
        return cache.has(KIND, key)

    def __getitem__(self, row: int) -> "TensorRow":
        return {name: self._tensor(name, row) for name in self.values}

    def _tensor(self, name: str, row: int) -> "torch.Tensor":
        start, stop = self.starts[name][row : row + 2]
        return self.values[name][start:stop].view(self.shapes[name][row])


def _flatten(rows: "Iterable[TensorRow]") -> "TensorRow":
    """Join rows: name -> all values in one flat tensor, name.shapes -> (rows, dimensions)."""
    import torch

    columns: dict[str, list[torch.Tensor]] = {}
    for row in rows:
        for name, tensor in row.items():
            columns.setdefault(name, []).append(tensor)
    flat: TensorRow = {}
    for name, column in columns.items():
        flat[name] = torch.cat([tensor.flatten() for tensor in column])
        flat[name + SHAPES] = torch.tensor([list(tensor.shape) for tensor in column])
    return flat
