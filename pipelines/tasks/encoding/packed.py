"""Rows of tensors of any shapes, each column of them in one tensor, kept on disk."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipelines.core import cache

if TYPE_CHECKING:
    import torch

    Row = dict[str, "torch.Tensor"]

KIND, SHAPES = "encoded", ".shapes"


class Packed:
    """Workers share a column by one file descriptor, not by thousands.

    packed = Packed.kept(key, lambda: rows)
    packed[3]                                   the row's tensors by name
    """

    def __init__(self, columns: "Row") -> None:
        self.values = {name: t for name, t in columns.items() if not name.endswith(SHAPES)}
        self.shapes = {name: columns[name + SHAPES].tolist() for name in self.values}
        self.starts = {
            name: [0, *columns[name + SHAPES].prod(1).cumsum(0).tolist()] for name in self.values
        }

    @classmethod
    def kept(cls, key: str, make: "Callable[[], Iterable[Row]]") -> "Packed":
        """What was packed as `key` before, or else the rows that `make` gives."""
        return cls(cache.tensors(KIND, key, lambda: _pack(make())))

    @staticmethod
    def is_kept(key: str) -> bool:
        """Whether rows were packed as `key` before."""
        return cache.has(KIND, key)

    def __getitem__(self, row: int) -> "Row":
        return {name: self._one(name, row) for name in self.values}

    def _one(self, name: str, row: int) -> "torch.Tensor":
        start, stop = self.starts[name][row : row + 2]
        return self.values[name][start:stop].view(self.shapes[name][row])


def _pack(rows: "Iterable[Row]") -> "Row":
    """Name -> all values one after the other, and name.shapes -> (rows, dimensions)."""
    import torch

    columns: dict[str, list[torch.Tensor]] = {}
    for row in rows:
        for name, tensor in row.items():
            columns.setdefault(name, []).append(tensor)
    packed = {name: torch.cat([t.flatten() for t in column]) for name, column in columns.items()}
    shapes = {name + SHAPES: torch.tensor([[*t.shape] for t in c]) for name, c in columns.items()}
    return packed | shapes
