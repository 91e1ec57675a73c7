"""What a model computes of rows, on disk as it comes: a pass that was killed goes on where it was.

Each process writes what it has computed into files of its own; a file holds the ids of its rows.
Nothing but these ids says how much there is, so that there is no index to get out of step.
"""

import uuid
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache, cache_folder, processes
from pipelines.core.cache_entry import SUFFIX
from pipelines.features.chunk import Chunk, merge, num_bytes
from pipelines.models import forward

if TYPE_CHECKING:
    import torch

    from pipelines.features.chunk import Values

KIND = "features"  # the folder of the cache
MAX_PENDING_BYTES = 2**25  # that a kill may cost


class Chunks:
    """Columns of tensors for the rows of a data set, loaded as far as they were computed before.

    chunks = Chunks(key, len(rows), about="…")
    chunks.missing                                  ids of rows that are to be computed
    chunks.add([4, 7], {"mean": (2, dim)})          written from time to time
    chunks.complete()                               with what other processes have computed
    chunks.column("mean")                           (rows, dim), or a list where rows differ
    """

    def __init__(self, key: str | None, num_rows: int, about: str = "") -> None:
        """Load what is on disk under `key`; without a key everything stays in memory."""
        self.num_rows, self.about = num_rows, about
        self.path = cache_folder.path() / KIND / key if key else None
        self.chunks: list[Chunk] = []
        self.unsent: list[Chunk] = []  # of this process and its disk, which others may not see
        self.pending: list[tuple[list[int], dict[str, Any]]] = []
        self.is_known = np.zeros(num_rows, bool)
        self.files: set[Path] = set()
        self._load_new_files()

    @property
    def missing(self) -> np.ndarray:
        """The ids of the rows that no process has computed yet."""
        return np.flatnonzero(~self.is_known)

    def add(self, row_ids: Sequence[int], entries: "dict[str, Sequence[torch.Tensor]]") -> None:
        """Add rows that were computed just now; they are written when enough have come together."""
        self.pending.append((list(row_ids), entries))
        self.is_known[list(row_ids)] = True
        if self._pending_bytes > MAX_PENDING_BYTES:
            self._flush()

    def complete(self) -> None:
        """Write what is pending, and exchange rows with the other processes."""
        if self.pending:
            self._flush()
        self.exchange()
        # room is made at the end: these features are in use, and others may have to go for them
        if self.path:
            cache.make_room(spared=self.path)
        assert not len(self.missing)

    def exchange(self) -> None:
        """Give all processes the same rows: by a disk that they share, or by sending them."""
        if processes.num_processes() == 1:
            return
        from accelerate.utils import gather_object

        # on a shared disk all files are there once every process has written its last
        processes.wait()
        self._load_new_files()
        if sum(gather_object([len(self.missing)])) > 0:
            # some process cannot read them: then all send, since gathering takes all of them
            for values in gather_object([chunk.values for chunk in self.unsent]):
                if not self.is_known[Chunk(values).row_ids].all():
                    self._append(values)
        self.unsent.clear()

    def column(self, name: str) -> Any:
        """Assemble a column in the order of the data set.

        Returns:
            (rows, …) float32, or a list of arrays where rows have several entries each.
        """
        if self.chunks[0].has_several(name):
            column: list[Any] = [None] * self.num_rows
            for chunk in self.chunks:
                for row_id, entry in zip(chunk.row_ids, chunk.entries(name), strict=True):
                    column[row_id] = entry.float().numpy()
            return column
        shape = self.chunks[0].values[name].shape[1:]
        # filled chunk by chunk: a concatenation would hold the features twice for a while
        stacked = np.empty((self.num_rows, *shape), np.float32)
        for chunk in self.chunks:
            stacked[chunk.row_ids] = chunk.values[name].float().numpy()
        return stacked

    def row(self, name: str, row_id: int) -> "torch.Tensor":
        """Select the entry of one row."""
        chunk, position = self._positions[row_id]
        return self.chunks[chunk].entry(name, position)

    @property
    def num_bytes(self) -> int:
        """The size of all columns."""
        return sum(sum(map(num_bytes, chunk.values.values())) for chunk in self.chunks)

    @property
    def _pending_bytes(self) -> int:
        return sum(sum(map(num_bytes, columns.values())) for _, columns in self.pending)

    @cached_property
    def _positions(self) -> dict[int, tuple[int, int]]:
        """Row id -> (chunk, position in it)."""
        positions = {}
        for i, chunk in enumerate(self.chunks):
            for position, row_id in enumerate(chunk.row_ids.tolist()):
                positions[row_id] = (i, position)
        return positions

    def _load_new_files(self) -> None:
        """Load the files that were not there before; a damaged one counts as missing rows."""
        if self.path is None:
            return
        for file in sorted(set(self.path.glob(f"*{SUFFIX}")) - self.files):
            self.files.add(file)
            values = cache.load(file)
            if values is not None:
                self.unsent.append(self._append(values))

    def _flush(self) -> None:
        """Write all pending rows into one file; where nothing can be written, keep them in memory.

        What was written is mapped from the file again, which frees the memory.
        """
        values = merge(self.pending)
        self.pending = []
        if self.path:
            # a name of its own: processes that share the disk write at the same time
            file = self.path / f"{uuid.uuid4().hex}{SUFFIX}"
            if cache.save(values, file, self.about):
                self.files.add(file)
                values = cache.load(file) or values
        self.unsent.append(self._append(values))

    def _append(self, values: "Values") -> Chunk:
        chunk = Chunk(values)
        self.is_known[chunk.row_ids] = True
        self.chunks.append(chunk)
        return chunk


def compute(
    key: str | None,
    about: str,
    model: Any,
    rows: Any,
    collate: Any,
    collect: forward.Collect,
    **options: Any,
) -> Chunks:
    """Collect a model's outputs for all rows; run only those that are not on disk under `key`.

    Args:
        key: a digest of all that the outputs follow from; None to store nothing.
        about: what is stored, in a few words, for the listing of the cache.
        options: of `forward.iter_batches`.
    """
    chunks = Chunks(key, len(rows), about)
    # all processes have to agree on what is missing, or they would cut different batches
    chunks.exchange()
    if len(chunks.missing):
        options = {**options, "row_ids": chunks.missing}
        for row_ids, entries in forward.iter_batches(model, rows, collate, collect, **options):
            chunks.add(row_ids, entries)
        chunks.complete()
    return chunks
