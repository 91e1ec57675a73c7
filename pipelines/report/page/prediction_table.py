"""`predictions/<split>.parquet`: what was predicted for each example."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

SHORT_COLUMNS = ("row", "label", "prediction", "correct", "confidence", "loss")
# texts and scores may fill the memory: only those of the rows that are shown are read
LONG_COLUMNS = ("id", "input", "scores")
LABELS_KEY = b"graft.labels"


class PredictionTable:
    """One row for each example of a split, in the split's order."""

    def __init__(self, path: Path) -> None:
        import pyarrow.dataset

        self._dataset = pyarrow.dataset.dataset(path, format="parquet")
        self._names = self._dataset.schema.names

    @cached_property
    def _short(self) -> Any:
        return self._dataset.to_table(columns=[n for n in SHORT_COLUMNS if n in self._names])

    def __len__(self) -> int:
        return len(self._short)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the scores, in their order; empty where there are none."""
        metadata = self._dataset.schema.metadata or {}
        return tuple(map(str, json.loads(metadata.get(LABELS_KEY, b"[]"))))

    def numbers(self, name: str) -> np.ndarray | None:
        """Return a column of numbers: (rows,) with NaN where there is none; None without any."""
        if name not in self._short.column_names or self._short[name].null_count == len(self):
            return None
        return np.asarray(self._short[name].cast("float64").to_numpy(zero_copy_only=False))

    def classes(self) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
        """Return (rows,) ids of labels, the same of predictions, and the names of both.

        None where an example has no label that is one name. Where one is missing, its id is -1.
        """
        import pyarrow as pa

        columns = [self._short[name] for name in ("label", "prediction")]
        if not all(_is_text(column.type) for column in columns):
            return None
        texts = [column.cast(pa.large_string()) for column in columns]
        joined = pa.chunked_array(
            [chunk for column in texts for chunk in column.chunks], type=pa.large_string()
        )
        encoded = joined.combine_chunks().dictionary_encode()
        ids = np.asarray(encoded.indices.fill_null(-1))
        return ids[: len(self)], ids[len(self) :], encoded.dictionary.to_pylist()

    def rows(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Read all columns of some rows, at their (num_rows,) positions."""
        import pyarrow as pa

        names = [name for name in (*SHORT_COLUMNS, *LONG_COLUMNS) if name in self._names]
        if not positions:
            return []
        return list(self._dataset.take(pa.array(positions, "int64"), columns=names).to_pylist())

    def lengths(self) -> np.ndarray | None:
        """Count the characters of each input: (rows,); None where inputs are no texts."""
        import pyarrow.compute as pc

        if "input" not in self._names or not _is_text(self._dataset.schema.field("input").type):
            return None
        batches = self._dataset.to_batches(columns=["input"])
        counts = [pc.utf8_length(batch["input"]).fill_null(0).to_numpy() for batch in batches]
        return np.concatenate(counts) if counts else None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
