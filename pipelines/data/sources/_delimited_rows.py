"""A csv or tsv file -> its header and its rows, some at a time; or the row that is wrong."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._column_names import check_names
from pipelines.data.sources._dialect import Dialect
from pipelines.data.sources._encoding import open_bytes
from pipelines.data.sources._rewritten import RewrittenTable

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 1 << 22  # read at a time; no row can be longer


def header(file: Path, dialect: Dialect) -> list[str]:
    """Read the names of the columns; one without a name is called as pandas does.

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


def batches(file: Path, dialect: Dialect, schema: "pa.Schema") -> "Iterator[pa.RecordBatch]":
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
    """Open bytes for Arrow, which knows no space after a separator."""
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
