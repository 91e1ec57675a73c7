"""Examples that stand in the data more than once, told apart by a hash of their inputs.

Inputs are the same when they are the same byte for byte: texts, and the files of images and
sounds, wherever they lie. 64 bits tell a million rows apart with a chance of 3e-8 to be wrong.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.rows import Rows

BATCH = 1000
SHOWN = 5  # pairs of rows


@dataclass(frozen=True)
class Repeats:
    """Rows of a part whose inputs stand somewhere else, too.

    Attributes:
        of: how many rows the part has.
        with_other_label: how many of the rows have a label that the same inputs do not have there.
        rows: some of them, as (row there, row here); they count in the splits as loaded.
    """

    count: int
    of: int
    with_other_label: int
    rows: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        return self.count / max(1, self.of)


@dataclass(frozen=True, eq=False)
class Hashed:
    """(rows,) hashes of inputs, and of inputs and label together."""

    inputs: np.ndarray
    labeled: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, rows: "Rows", target: str | None) -> "Hashed":
        """Hash every row; nothing is decoded."""
        there = rows.dataset.column_names
        if target is None:  # blank lines stand between texts, and between all of them alike
            full = np.flatnonzero([bool(text.strip()) for text in rows.dataset["text"][:]])
            inputs = _hash(rows.dataset.select(full), there)
            return cls(inputs, inputs, rows.numbers[full])
        inputs = _hash(rows.dataset, [name for name in there if name != target])
        if target not in there:
            return cls(inputs, inputs, rows.numbers)
        odd = np.uint64(0x9E3779B97F4A7C15)  # so that two hashes do not cancel each other
        return cls(inputs, inputs * odd + _hash(rows.dataset, [target]), rows.numbers)

    def within(self) -> Repeats:
        """Rows that repeat an earlier one of the same part."""
        _, firsts, groups = np.unique(self.inputs, return_index=True, return_inverse=True)
        first = firsts[groups]
        here = np.flatnonzero(first != np.arange(len(first)))
        other = len(np.unique(self.labeled)) - len(firsts)
        pairs = zip(self.numbers[first[here[:SHOWN]]], self.numbers[here[:SHOWN]], strict=True)
        return Repeats(len(here), len(first), other, tuple((int(a), int(b)) for a, b in pairs))

    def shared_with(self, there: "Hashed") -> Repeats:
        """Rows whose inputs are those of a row of another part."""
        known, firsts = np.unique(there.inputs, return_index=True)
        is_there = np.isin(self.inputs, known)
        here = np.flatnonzero(is_there)
        other = np.count_nonzero(is_there & ~np.isin(self.labeled, there.labeled))
        first = firsts[np.searchsorted(known, self.inputs[here[:SHOWN]])]
        pairs = zip(there.numbers[first], self.numbers[here[:SHOWN]], strict=True)
        rows = tuple((int(a), int(b)) for a, b in pairs)
        return Repeats(len(here), len(self.inputs), int(other), rows)


def _hash(dataset: "Dataset", columns: list[str]) -> np.ndarray:
    """(rows,) uint64 over the columns."""
    from xxhash import xxh3_64_intdigest

    found = np.empty(len(dataset), np.uint64)
    start = 0
    for batch in dataset.select_columns(columns).with_format("arrow").iter(BATCH):
        parts = [list(_bytes(batch[name])) for name in columns]
        if len(parts) == 1:
            joined = parts[0]
        else:  # lengths keep ("ab", "c") and ("a", "bc") apart
            rows = zip(*parts, strict=True)
            joined = [b"".join(b"%d:%b" % (len(part), part) for part in row) for row in rows]
        found[start : start + len(joined)] = [xxh3_64_intdigest(value) for value in joined]
        start += len(joined)
    return found


def _bytes(column: Any) -> Iterator[bytes]:
    """What is hashed of each value: a text, the bytes of a file, or whatever it prints as."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from (value or b"" for value in column.cast(pa.large_binary()).to_pylist())
    elif pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}:
        inside = pc.struct_field(column, "bytes").to_pylist()
        paths = pc.struct_field(column, "path").to_pylist()
        with ThreadPoolExecutor() as pool:
            files = pool.map(_content, (p for p, b in zip(paths, inside, strict=True) if b is None))
            yield from (next(files) if value is None else value for value in inside)
    else:
        yield from (repr(value).encode() for value in column.to_pylist())


def _content(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""
