"""Tables in JSON: every column of one type, found by looking at all values of all files.

A column of mixed types is what most of its values are; the others become gaps, and are an error
where the column is used.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.data.sources._column_names import check_names
from pipelines.data.sources._content import cached, cached_table
from pipelines.data.sources._dialect import kind as suffix
from pipelines.data.sources._json_kinds import (
    KINDS,
    MIXED_INSIDE,
    NUMBER,
    Kind,
    Kinds,
    kinds_of,
    merge_kinds,
    usual,
)
from pipelines.data.sources._json_rows import Row, read_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

BATCH_ROWS = 1000  # in memory at a time
HEAD_ROWS = 1000  # all that is known of a stream


@dataclass(frozen=True)
class JsonTable:
    """One file, and what its columns hold.

    Attributes:
        note: the layout, where it is not plain.
    """

    file: Path
    digest: str
    encoding: str
    kinds: Kinds
    note: str = ""

    @classmethod
    def scan(cls, file: Path, digest: str, encoding: str) -> "JsonTable":
        """Look at all values of a file once, and remember the result for its content.

        Raises:
            DataError: it cannot be read.
        """
        import pyarrow as pa

        def write(draft: Path) -> None:
            """Scan the file."""
            rows, note = read_rows(file, encoding)
            draft.write_bytes(_schema(_scan(file, rows), note).serialize())

        # messages name the file
        scanned = cached("scan.schema", "json 1", digest, encoding, str(file), write=write)
        schema = pa.ipc.read_schema(pa.py_buffer(scanned.read_bytes()))
        kinds: dict[str, dict[str, Kind]] = defaultdict(dict)
        for field in schema:
            name, *rest = json.loads(field.metadata[b"kind"])
            kinds[field.name][name] = Kind(name, field.type, *rest)
        return cls(file, digest, encoding, kinds, schema.metadata[b"note"].decode())

    @classmethod
    def scan_head(cls, file: Path, digest: str, encoding: str) -> "JsonTable":
        """Look at the first rows of a file alone, which are all that is known of a stream."""
        rows, note = read_rows(file, encoding)
        return cls(file, digest, encoding, _scan(file, islice(rows, HEAD_ROWS)), note)

    def batches(self, schema: "pa.Schema", kinds: Kinds) -> "Iterator[pa.RecordBatch]":
        """Parse the file, some rows at a time, as these columns."""
        import pyarrow as pa

        rows, _ = read_rows(self.file, self.encoding)
        chosen = {name: usual(kinds[name]).name for name in schema.names}
        for part in _parts(rows):
            arrays = [_array(part, field, chosen[field.name]) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def read(self, schema: "pa.Schema", kinds: Kinds) -> "Dataset":
        """Read the file as these columns, which hold for all files of the source."""
        chosen = [usual(kinds[name]).name for name in schema.names]
        # one content is other rows in .json than in .jsonl
        key = ("json 1", self.digest, suffix(self.file), self.encoding, chosen, str(schema))
        return cached_table(*key, schema=schema, batches=self.batches(schema, kinds))


def split_schema(tables: Sequence[JsonTable], kinds: Kinds) -> "pa.Schema":
    """Return the columns of a split: those of any of its files that can be read."""
    import pyarrow as pa

    columns = dict.fromkeys(chain.from_iterable(table.kinds for table in tables))
    return pa.schema([(name, usual(kinds[name]).type) for name in columns if _is_one(kinds[name])])


def _is_one(present: Mapping[str, Kind]) -> bool:
    """Return whether a column can be read: it may be empty, but its values mix no types."""
    return MIXED_INSIDE not in {kind.name for kind in present.values()}


def _scan(file: Path, rows: Iterable[Row]) -> dict[str, dict[str, Kind]]:
    parts = enumerate(_parts(rows))
    return merge_kinds(_part_kinds(file, part, number * BATCH_ROWS) for number, part in parts)


def _part_kinds(file: Path, rows: Sequence[Row], start: int) -> dict[str, dict[str, Kind]]:
    names = dict.fromkeys(chain.from_iterable(rows))
    check_names(file, names)
    return {name: kinds_of(file, _values(rows, name), start) for name in names}


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while part := list(islice(remaining, BATCH_ROWS)):
        yield part


def _values(rows: Sequence[Row], name: str) -> list[Any]:
    return [row.get(name) for row in rows]


def _array(rows: Sequence[Row], field: "pa.Field", kind: str) -> "pa.Array":
    """Convert the values of a column; those of another kind become gaps."""
    import pyarrow as pa

    values: list[Any] = [
        v if KINDS.get(type(v)) == kind else None for v in _values(rows, field.name)
    ]
    # Arrow would cut 0.5 down to 0 where all numbers at the head of a stream are whole
    converters = {pa.int64(): _whole, pa.float64(): float, pa.string(): str}
    convert: Any = converters.get(field.type) if kind == NUMBER else None
    try:
        converted = [None if v is None else convert(v) for v in values] if convert else values
        return pa.array(converted, field.type)
    except (ValueError, TypeError, OverflowError):
        # half a character, or what the head of a stream did not show
        return pa.array([v if _fits(v, field.type) else None for v in values], field.type)


def _whole(value: float) -> int | None:
    return value if isinstance(value, int) else None


def _fits(value: Any, arrow_type: "pa.DataType") -> bool:
    import pyarrow as pa

    try:
        pa.array([value], arrow_type)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _schema(kinds: Kinds, note: str) -> "pa.Schema":
    """Write kinds as a schema, as Arrow can keep it: a field for each kind in a column."""
    import pyarrow as pa

    fields = []
    for column, present in kinds.items():
        for kind in present.values():
            values = json.dumps([kind.name, kind.count, kind.place, kind.value])
            fields.append(pa.field(column, kind.type, metadata={"kind": values}))
    return pa.schema(fields, metadata={"note": note})
