"""What a model computes of rows, kept as it comes: a pass that is killed goes on where it was.

Each process writes what it has computed into files of its own; a file holds the numbers of its
rows. Nothing says that all is there but the rows themselves.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache, console
from pipelines.models import forward

if TYPE_CHECKING:
    import torch

    Values = dict[str, torch.Tensor]

KIND = "features"
FLUSH = 2**25  # bytes that a kill may cost
ROWS, SIZES = ".rows", ".sizes"


@dataclass(frozen=True)
class Chunk:
    """Some rows: `values[name]` is (rows, …), or (entries of all rows, …) where `sizes` tells how
    many each row has."""

    values: "Values"

    @cached_property
    def rows(self) -> np.ndarray:
        """The numbers of its rows in the data set."""
        return self.values[ROWS].numpy()

    @cached_property
    def bounds(self) -> "dict[str, list[int]]":
        """Where the entries of each row begin, where rows have several."""
        sizes = {n.removesuffix(SIZES): v for n, v in self.values.items() if n.endswith(SIZES)}
        return {name: [0, *size.cumsum(0).tolist()] for name, size in sizes.items()}

    def entry(self, name: str, place: int) -> "torch.Tensor":
        """Of the row at `place`."""
        if name not in self.bounds:
            return self.values[name][place]
        start, stop = self.bounds[name][place : place + 2]
        return self.values[name][start:stop]

    def entries(self, name: str) -> "Sequence[torch.Tensor] | torch.Tensor":
        """One entry for each row."""
        sizes = self.values.get(name + SIZES)
        return self.values[name] if sizes is None else self.values[name].split(sizes.tolist())


class Chunks:
    """Rows of tensors by name, found on disk as far as they were computed before.

    chunks = Chunks(key, len(rows), about="…")
    chunks.missing                                  numbers of rows that are to be computed
    chunks.add([4, 7], {"mean": (2, dim)})          kept from now and then
    chunks.complete()                               with what other processes have computed
    chunks.column("mean")                           (rows, dim), or a list where rows differ
    """

    def __init__(self, key: str | None, num_rows: int, about: str = "") -> None:
        self.num_rows, self.about = num_rows, about
        self.path = cache.folder() / KIND / key if key else None
        self.chunks: list[Chunk] = []
        self.mine: list[Chunk] = []
        self.pending: list[tuple[list[int], dict[str, Any]]] = []
        self.is_there = np.zeros(num_rows, bool)
        self.files: set[Path] = set()
        self._find()

    @property
    def missing(self) -> np.ndarray:
        """The numbers of the rows that nobody has computed."""
        return np.flatnonzero(~self.is_there)

    def add(self, rows: Sequence[int], entries: "dict[str, Sequence[torch.Tensor]]") -> None:
        """Rows that were computed just now."""
        self.pending.append((list(rows), entries))
        self.is_there[list(rows)] = True
        if sum(_num_bytes(e) for _, entries in self.pending for e in entries.values()) > FLUSH:
            self._flush()

    def complete(self) -> None:
        """Write what is left, and exchange what other processes have computed."""
        if self.pending:
            self._flush()
        self.exchange()
        if self.path:
            cache.make_room(spared=self.path)
        assert not len(self.missing)

    def exchange(self) -> None:
        """All processes know the same rows: by a disk that they share, or by sending them."""
        if console.num_processes() == 1:
            return
        from accelerate.utils import gather_object

        console.wait()
        self._find()
        if sum(gather_object([len(self.missing)])) > 0:
            for values in gather_object([chunk.values for chunk in self.mine]):
                self._take(values)

    def column(self, name: str) -> Any:
        """The entries of all rows, in the order of the data set: float32."""
        if name + SIZES in self.chunks[0].values:
            column: list[Any] = [None] * self.num_rows
            for chunk in self.chunks:
                for row, entry in zip(chunk.rows, chunk.entries(name), strict=True):
                    column[row] = entry.float().numpy()
            return column
        shape = self.chunks[0].values[name].shape[1:]
        stacked = np.empty((self.num_rows, *shape), np.float32)
        for chunk in self.chunks:
            stacked[chunk.rows] = chunk.values[name].float().numpy()
        return stacked

    def row(self, name: str, number: int) -> "torch.Tensor":
        """The entry of one row."""
        chunk, place = self._places[number]
        return self.chunks[chunk].entry(name, place)

    @property
    def num_bytes(self) -> int:
        """Of all that is kept."""
        return sum(value.nbytes for chunk in self.chunks for value in chunk.values.values())

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        """Row number -> (chunk, place in it)."""
        return {
            row: (i, place)
            for i, chunk in enumerate(self.chunks)
            for place, row in enumerate(chunk.rows.tolist())
        }

    def _find(self) -> None:
        """Take the files that were not there before; a damaged one is not there."""
        if self.path is None:
            return
        for file in sorted(set(self.path.glob(f"*{cache.SUFFIX}")) - self.files):
            self.files.add(file)
            values = cache.load(file)
            if values is not None:
                self._take(values)

    def _flush(self) -> None:
        """One file of all that is pending; in memory only where nothing can be written."""
        values = _merged(self.pending)
        self.pending = []
        if self.path:
            file = self.path / f"{uuid.uuid4().hex}{cache.SUFFIX}"
            if cache.save(values, file, self.about):
                self.files.add(file)
                values = cache.load(file) or values
        self.mine.append(self._take(values))

    def _take(self, values: "Values") -> Chunk:
        chunk = Chunk(values)
        self.is_there[chunk.rows] = True
        self.chunks.append(chunk)
        return chunk


def computed(
    key: str | None,
    about: str,
    model: Any,
    rows: Any,
    collate: Any,
    read: forward.Read,
    **options: Any,
) -> Chunks:
    """What `read` keeps of all rows, from a pass over those that nobody has computed before.

    `options` are those of `forward.steps`.
    """
    kept = Chunks(key, len(rows), about)
    kept.exchange()
    if len(kept.missing):
        missing = {**options, "numbers": kept.missing}
        for numbers, entries in forward.steps(model, rows, collate, read, **missing):
            kept.add(numbers, entries)
        kept.complete()
    return kept


def _merged(pending: "list[tuple[list[int], dict[str, Any]]]") -> "Values":
    import torch

    values = {ROWS: torch.tensor([row for rows, _ in pending for row in rows])}
    for name in pending[0][1]:
        columns = [entries[name] for _, entries in pending]
        if all(_is_tensor(column) for column in columns):
            values[name] = torch.cat(columns).contiguous()
            continue
        every = [entry for column in columns for entry in column]
        values[name] = torch.cat(every).contiguous()
        values[name + SIZES] = torch.tensor([len(entry) for entry in every])
    return values


def _is_tensor(entries: Any) -> bool:
    """Whether all rows are of one shape."""
    import torch

    return isinstance(entries, torch.Tensor)


def _num_bytes(entries: "Sequence[torch.Tensor] | torch.Tensor") -> int:
    return entries.nbytes if _is_tensor(entries) else sum(entry.nbytes for entry in entries)  # type: ignore[union-attr]
