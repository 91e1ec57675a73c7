"""Tables in text (csv, tsv): every column as the file writes it; numbers only where all are.

pandas would guess types chunk by chunk, merge '007' and '7', and shift the columns of a row with a
comma too many. A column is numbers if each of its values is one, in all files of the source.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.data.sources._content import cached, cached_table
from pipelines.data.sources._delimited_rows import batches, header
from pipelines.data.sources._dialect import Dialect
from pipelines.data.sources._text_kinds import DECIMALS, EMPTY, INTEGERS, TEXT, kind_of, wider

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


@dataclass(frozen=True)
class TextTable:
    """One file, its dialect, and what its columns hold.

    Attributes:
        kinds: column -> empty, integers, decimals or text.
    """

    file: Path
    digest: str
    dialect: Dialect
    kinds: Mapping[str, str]

    @classmethod
    def scan(cls, file: Path, digest: str, dialect: Dialect) -> "TextTable":
        """Look at all values of a file once, and remember the result for its content.

        Raises:
            DataError: a row has another number of columns than the header, or cannot be decoded.
        """

        def write(draft: Path) -> None:
            """Scan the file."""
            draft.write_text(json.dumps(_scan(file, dialect)), encoding="utf-8")

        scanned = cached("kinds.json", digest, *_key(dialect), write=write)
        return cls(file, digest, dialect, json.loads(scanned.read_text(encoding="utf-8")))

    @classmethod
    def scan_head(cls, file: Path, digest: str, dialect: Dialect) -> "TextTable":
        """Look at the first block of a file alone, which is all that is known of a stream."""
        return cls(file, digest, dialect, _scan(file, dialect, max_batches=1))

    @property
    def note(self) -> str:
        """What was detected and is not usual, for the user."""
        return self.dialect.note

    def schema(self, kinds: Mapping[str, str]) -> "pa.Schema":
        """Return the types of the columns, if all files together have these kinds."""
        import pyarrow as pa

        types = {INTEGERS: pa.int64(), DECIMALS: pa.float64()}
        return pa.schema([(name, types.get(kinds[name], pa.string())) for name in self.kinds])

    def batches(self, kinds: Mapping[str, str]) -> "Iterator[pa.RecordBatch]":
        """Parse the file, some rows at a time."""
        return batches(self.file, self.dialect, self.schema(kinds))

    def read(self, kinds: Mapping[str, str]) -> "Dataset":
        """Read the file with these kinds of columns, which hold for all files of the source."""
        schema = self.schema(kinds)
        key = (self.digest, *_key(self.dialect), str(schema))
        return cached_table(*key, schema=schema, batches=self.batches(kinds))


def _key(dialect: Dialect) -> tuple[Any, ...]:
    layout = dialect.num_skipped_lines, dialect.is_spaced
    return "delimited 2", dialect.separator, dialect.has_quotes, dialect.encoding, *layout


def _scan(file: Path, dialect: Dialect, max_batches: int | None = None) -> dict[str, str]:
    names = header(file, dialect)
    if not names:
        return {}
    import pyarrow as pa

    kinds = dict.fromkeys(names, EMPTY)
    schema = pa.schema([(name, pa.string()) for name in names])
    for batch in islice(batches(file, dialect, schema), max_batches):
        for name, kind in kinds.items():
            # most columns are text, and are known for it from the first batch
            if kind != TEXT:
                kinds[name] = wider(kind, kind_of(batch[name]))
    return kinds
