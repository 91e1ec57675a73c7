"""Examples that occur in the data more than once, recognized by a hash of their inputs.

Inputs are equal if they are equal byte for byte: texts, and the files of images and audio,
wherever they are. With 64 bits, two of a million different rows collide with probability 3e-8.
Texts are nearly equal if they differ in case, white space and punctuation only.
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

BATCH_ROWS = 1000  # rows hashed at a time
# of ASCII, which takes a tenth of the time of a pattern; symbols such as + and = have a meaning
BETWEEN_LETTERS = b"!\"'(),-.:;?[]_`{} \t\r\n"
MAX_PAIRS = 5  # of equal rows that are listed
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd: multiplying loses no bits


@dataclass(frozen=True)
class Repeats:
    """Rows of a split whose inputs also occur elsewhere.

    Attributes:
        count: how many rows.
        of: how many rows the split has.
        with_other_label: how many of `count` have a label that their inputs do not have elsewhere;
            within a split, how many of `of` have inputs that occur with other labels, too.
        rows: up to MAX_PAIRS of them as (row elsewhere, row in this split), numbered as loaded.
    """

    count: int
    of: int
    with_other_label: int
    rows: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        """The share of the split that is repeated, from 0 to 1."""
        return self.count / max(1, self.of)


@dataclass(frozen=True, eq=False)
class RowHashes:
    """Hashes of the rows of a split.

    Attributes:
        inputs: (rows,) uint64 hashes of the inputs.
        labeled: (rows,) uint64 hashes of inputs and label together.
        numbers: (rows,) positions in the split as it was loaded.
        normalized: (rows,) uint64 hashes of the inputs without case, white space, punctuation.
    """

    inputs: np.ndarray
    labeled: np.ndarray
    numbers: np.ndarray
    normalized: np.ndarray

    @classmethod
    def of(cls, rows: "Rows", target: str | None) -> "RowHashes":
        """Hash every row; nothing is decoded.

        Args:
            target: the role that is predicted; None where the text itself is.
        """
        columns = rows.dataset.column_names
        if target is None:  # blank lines separate texts, and repeat in every split
            full = np.flatnonzero([bool(text.strip()) for text in rows.dataset["text"][:]])
            inputs, normalized = _hash(rows.dataset.select(full), columns)
            return cls(inputs, inputs, rows.numbers[full], normalized)
        inputs, normalized = _hash(rows.dataset, [name for name in columns if name != target])
        if target not in columns:
            return cls(inputs, inputs, rows.numbers, normalized)
        # multiplied first, so that the hashes of two rows cannot add up to the same by swapping
        labeled = inputs * MULTIPLIER + _hash(rows.dataset, [target])[0]
        return cls(inputs, labeled, rows.numbers, normalized)

    def repeats_within(self) -> Repeats:
        """Find rows that repeat an earlier one of this split."""
        _, firsts, groups = np.unique(self.inputs, return_index=True, return_inverse=True)
        first = firsts[groups]
        repeated = np.flatnonzero(first != np.arange(len(first)))
        # all rows of such inputs: nothing says which label is the right one
        differs = np.bincount(groups, self.labeled != self.labeled[first]) > 0
        with_other_label = int(np.count_nonzero(differs[groups]))
        shown = repeated[:MAX_PAIRS]
        pairs = _pairs(self.numbers[first[shown]], self.numbers[shown])
        return Repeats(len(repeated), len(first), with_other_label, pairs)

    def repeats_of(self, other: "RowHashes") -> Repeats:
        """Find rows whose inputs also occur in another split."""
        known, firsts = np.unique(other.inputs, return_index=True)
        is_known = np.isin(self.inputs, known)
        repeated = np.flatnonzero(is_known)
        with_other_label = np.count_nonzero(is_known & ~np.isin(self.labeled, other.labeled))
        shown = repeated[:MAX_PAIRS]
        first = firsts[np.searchsorted(known, self.inputs[shown])]
        pairs = _pairs(other.numbers[first], self.numbers[shown])
        return Repeats(len(repeated), len(self.inputs), int(with_other_label), pairs)

    def near_repeats_of(self, other: "RowHashes") -> Repeats:
        """Find rows whose inputs nearly, but not exactly, occur in another split."""
        known, firsts = np.unique(other.normalized, return_index=True)
        is_near = np.isin(self.normalized, known) & ~np.isin(self.inputs, other.inputs)
        repeated = np.flatnonzero(is_near)
        shown = repeated[:MAX_PAIRS]
        first = firsts[np.searchsorted(known, self.normalized[shown])]
        pairs = _pairs(other.numbers[first], self.numbers[shown])
        return Repeats(len(repeated), len(self.inputs), 0, pairs)


def _pairs(elsewhere: np.ndarray, here: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Convert pairs to plain integers, which JSON can write."""
    return tuple((int(a), int(b)) for a, b in zip(elsewhere, here, strict=True))


def _hash(dataset: "Dataset", columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Hash (rows,) over the columns, uint64: as they are, and with their texts normalized."""
    exact, normalized = np.empty((2, len(dataset)), np.uint64)
    start = 0
    for batch in dataset.select_columns(columns).with_format("arrow").iter(BATCH_ROWS):
        values = [list(_bytes(batch[name])) for name in columns]
        texts = [_is_text(batch[name]) for name in columns]
        stop = start + len(values[0])
        exact[start:stop] = normalized[start:stop] = _digests(values)
        if any(texts):
            lower = [
                list(map(_letters, _bytes(_lower_case(batch[name])))) if is_text else column
                for name, is_text, column in zip(columns, texts, values, strict=True)
            ]
            normalized[start:stop] = _digests(lower)
        start = stop
    return exact, normalized


def _digests(columns: list[list[bytes]]) -> np.ndarray:
    """Hash each row of some columns: (rows,) uint64."""
    from xxhash import xxh3_64_intdigest

    rows = columns[0] if len(columns) == 1 else list(map(_joined, zip(*columns, strict=True)))
    return np.array([xxh3_64_intdigest(row) for row in rows], np.uint64)


def _is_text(column: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _lower_case(column: Any) -> Any:
    import pyarrow.compute as pc

    return pc.utf8_lower(column)


def _letters(text: bytes) -> bytes:
    """Delete white space and punctuation; keep numbers and signs alone as they are."""
    letters = text.translate(None, BETWEEN_LETTERS)
    return text if not letters or letters.isdigit() else letters


def _joined(values: tuple[bytes, ...]) -> bytes:
    """Join the values of a row; their lengths keep ("ab", "c") and ("a", "bc") apart."""
    return b"".join(b"%d:%b" % (len(value), value) for value in values)


def _bytes(column: Any) -> Iterator[bytes]:
    """Yield the bytes of each value of an Arrow column: text, file content, or its repr."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if _is_text(column):
        yield from (value or b"" for value in column.cast(pa.large_binary()).to_pylist())
    elif pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}:
        embedded = pc.struct_field(column, "bytes").to_pylist()
        paths = pc.struct_field(column, "path").to_pylist()
        with ThreadPoolExecutor() as pool:  # reading many small files waits for the disk
            unread = (p for p, b in zip(paths, embedded, strict=True) if b is None)
            files = pool.map(_content, unread)
            yield from (next(files) if value is None else value for value in embedded)
    else:
        yield from (repr(value).encode() for value in column.to_pylist())


def _content(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""
