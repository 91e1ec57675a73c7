"""Tables in text (csv, tsv): every column as the file writes it; numbers only where all are.

pandas would guess types chunk by chunk, merge '007' and '7', and shift the columns of a row with a
comma too many. A column is numbers if each of its values is one, in all files of the source.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._column_names import check_names
from pipelines.data.sources._content import cached, cached_table
from pipelines.data.sources._dialect import Dialect
from pipelines.data.sources._encoding import open_bytes
from pipelines.data.sources._rewritten import RewrittenTable

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

BLOCK_BYTES = 1 << 22  # read at a time; no row can be longer
# "007" and "1e5" may be codes, and are kept as they are
INTEGER, NUMBER = r"^\s*(0|-?[1-9][0-9]{0,17})\s*$", r"^\s*-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?\s*$"
EMPTY, INTEGERS, DECIMALS, TEXT = "empty", "integers", "decimals", "text"
# what two kinds of values are together
ORDER = (EMPTY, INTEGERS, DECIMALS)


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
        return _batches(self.file, self.dialect, self.schema(kinds))

    def read(self, kinds: Mapping[str, str]) -> "Dataset":
        """Read the file with these kinds of columns, which hold for all files of the source."""
        schema = self.schema(kinds)
        key = (self.digest, *_key(self.dialect), str(schema))
        return cached_table(*key, schema=schema, batches=self.batches(kinds))


def merge_kinds(kinds_by_file: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Find the kind of every column over all files: numbers only if they are in each of them."""
    kinds: dict[str, str] = {}
    for columns in kinds_by_file:
        for name, kind in columns.items():
            kinds[name] = _wider(kinds.get(name, EMPTY), kind)
    return kinds


def _wider(first: str, second: str) -> str:
    if TEXT in (first, second):
        return TEXT
    return max(first, second, key=ORDER.index)


def _key(dialect: Dialect) -> tuple[Any, ...]:
    layout = dialect.num_skipped_lines, dialect.is_spaced
    return "delimited 2", dialect.separator, dialect.has_quotes, dialect.encoding, *layout


def _scan(file: Path, dialect: Dialect, max_batches: int | None = None) -> dict[str, str]:
    names = _header(file, dialect)
    if not names:
        return {}
    import pyarrow as pa

    kinds = dict.fromkeys(names, EMPTY)
    schema = pa.schema([(name, pa.string()) for name in names])
    for batch in islice(_batches(file, dialect, schema), max_batches):
        for name, kind in kinds.items():
            # most columns are text, and are known for it from the first batch
            if kind != TEXT:
                kinds[name] = _wider(kind, _kind(batch[name]))
    return kinds


def _kind(values: "pa.StringArray") -> str:
    import pyarrow.compute as pc

    if values.null_count == len(values):
        return EMPTY
    if _all_match(values, INTEGER):
        return INTEGERS
    if not _all_match(values, NUMBER):
        return TEXT
    # decimals have a point somewhere: 1e5 and 007 are spellings of a name as well
    has_point = pc.any(pc.match_substring(values, ".")).as_py()
    return DECIMALS if has_point else TEXT


def _all_match(values: "pa.StringArray", pattern: str) -> bool:
    import pyarrow.compute as pc

    # the first rows tell most columns of text
    head = pc.all(pc.match_substring_regex(values[:10], pattern)).as_py()
    return head is not False and pc.all(pc.match_substring_regex(values, pattern)).as_py()


def _header(file: Path, dialect: Dialect) -> list[str]:
    """Names of the columns; one without a name is called as pandas does.

    Raises:
        DataError: two have the same name, or a name cannot be one.
    """
    with io.TextIOWrapper(open_bytes(file), dialect.encoding, errors="replace", newline="") as text:
        names = next((row for row in _rows(text, dialect) if row), [])
    names[:1] = [name.removeprefix("\ufeff") for name in names[:1]]
    names = [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    check_names(file, names)
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{file}, line 1: two columns are called '{name}'; rename one of them")
    return names


def _rows(text: Any, dialect: Dialect) -> Iterator[list[str]]:
    quoting: Any = csv.QUOTE_MINIMAL if dialect.has_quotes else csv.QUOTE_NONE
    for _ in range(dialect.num_skipped_lines):
        text.readline()
    return csv.reader(
        text, delimiter=dialect.separator, quoting=quoting, skipinitialspace=dialect.is_spaced
    )


def _batches(file: Path, dialect: Dialect, schema: "pa.Schema") -> "Iterator[pa.RecordBatch]":
    """Parse the file with columns of these types.

    Raises:
        DataError: it cannot be parsed.
    """
    if not schema.names:  # blank lines alone, of which Arrow makes no table
        return
    from pyarrow import csv as arrow_csv

    is_utf8 = dialect.is_spaced or dialect.encoding.startswith("utf-8")
    read = arrow_csv.ReadOptions(
        block_size=BLOCK_BYTES,
        encoding="utf8" if is_utf8 else dialect.encoding,
        skip_rows=0 if dialect.is_spaced else dialect.num_skipped_lines,
        column_names=schema.names,
        skip_rows_after_names=1,  # the header, which may be in several lines
    )
    parse = arrow_csv.ParseOptions(
        delimiter=dialect.separator,
        quote_char='"' if dialect.has_quotes else False,
        newlines_in_values=dialect.has_quotes,
    )
    convert = arrow_csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True
    )
    try:
        with arrow_csv.open_csv(_source(file, dialect), read, parse, convert) as reader:
            yield from reader
    except Exception as error:  # pyarrow and the operating system raise their own
        raise _explain(file, dialect, error, len(schema.names)) from error


def _source(file: Path, dialect: Dialect) -> Any:
    """Bytes for Arrow, which knows no space after a separator."""
    import pyarrow as pa

    if dialect.is_spaced:
        text = io.TextIOWrapper(open_bytes(file), dialect.encoding, newline="")
        return RewrittenTable(text, _rows(text, dialect), dialect.separator)
    return pa.input_stream(str(file), compression="detect")


def _explain(file: Path, dialect: Dialect, error: Exception, num_columns: int) -> DataError:
    """Name the line whose number of columns differs, if that is the cause."""
    with io.TextIOWrapper(open_bytes(file), dialect.encoding, errors="replace", newline="") as text:
        rows: Any = _rows(text, dialect)
        before = dialect.num_skipped_lines
        try:
            for row in rows:
                if row and len(row) != num_columns:
                    return _wrong_width(file, before + rows.line_num, row, num_columns, dialect)
        except csv.Error as unreadable:
            return DataError(f"{file}, line {before + rows.line_num}: cannot be read: {unreadable}")
    return DataError(f"{file}: cannot be read as csv: {first_line(error)}")


def _wrong_width(
    file: Path, line: int, row: list[str], expected: int, dialect: Dialect
) -> DataError:
    shown = dialect.separator.join(row)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    more = len(row) > expected and dialect.has_quotes
    advice = (
        f"put a text that holds {dialect.separator!r} in quotation marks"
        if more
        else "give every row the columns of the header"
    )
    return DataError(
        f"{file}, line {line}: {len(row)} columns, where the header has {expected}: {shown!r}; "
        f"{advice}, or set data.separator=…"
    )
