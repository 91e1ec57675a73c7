"""Rows of a JSON file: one object a line, or a whole document."""

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._dialect import kind
from pipelines.data.sources._encoding import open_bytes, read_head
from pipelines.data.sources._json_layouts import EXPECTED, document_rows

Row = dict[str, Any]


def find_encoding(file: Path, encoding: str | None, *, is_streamed: bool = False) -> str:
    """Find the encoding of a JSON file, by its head alone if it is streamed.

    Raises:
        DataError: it is unknown, or the file cannot be read.
    """
    known = read_head(file, encoding, is_streamed=is_streamed).encoding
    return "utf-8-sig" if known == "utf-8" else known


def read_rows(file: Path, encoding: str) -> tuple[Iterable[Row], str]:
    """Read the rows of a file, one after the other where it has one a line.

    Returns:
        (rows, what was inferred about the layout; empty where that is plain).

    Raises:
        DataError: it is not JSON, or in no known layout, by line or row; of rows in lines when
            they are reached.
    """
    if _has_lines(file, encoding):
        return _objects(file, _lines(file, encoding)), ""
    with _explain(file), _open(file, encoding) as text:
        content = text.read()
    try:
        rows, note = document_rows(json.loads(content)) if content.strip() else ([], "")
    except json.JSONDecodeError as error:
        raise _not_json(file, error.lineno, error) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: {error}") from error
    return _objects(file, rows), note


def _has_lines(file: Path, encoding: str) -> bool:
    """Return whether each line is a row; a single object is one in .jsonl only."""
    with _explain(file), _open(file, encoding) as text:
        lines = filter(None, map(str.strip, text))
        first, second = next(lines, ""), next(lines, "")
    if kind(file) == ".jsonl":
        return not first.startswith("[")
    try:
        return bool(second) and not isinstance(json.loads(first), list)
    except (ValueError, RecursionError):
        return False


def _lines(file: Path, encoding: str) -> Iterator[Any]:
    with _explain(file), _open(file, encoding) as text:
        for number, line in enumerate(text, 1):
            if line.strip():
                try:
                    yield json.loads(line.rstrip())
                except (ValueError, RecursionError) as error:
                    raise _not_json(file, number, error) from error


def _objects(file: Path, rows: Iterable[Any]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield row
        elif isinstance(row, str):
            yield {"text": row}  # a list of texts
        else:
            shown = json.dumps(row, ensure_ascii=False)
            shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
            raise DataError(f"{file}, row {number}: holds {shown}; {EXPECTED}")


def _open(file: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(open_bytes(file), encoding)


@contextmanager
def _explain(file: Path) -> Iterator[None]:
    """Turn errors of reading, uncompressing and decoding into one message."""
    try:
        yield
    except UnicodeError as error:
        encoding = getattr(error, "encoding", "text")
        raise DataError(f"{file}: is not {encoding}; set data.encoding=…") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {first_line(error)}") from error


def _not_json(file: Path, line: int, error: Exception) -> DataError:
    place = f"{error.msg} (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
    return DataError(f"{file}, line {line}: cannot be read as JSON: {place or first_line(error)}")
