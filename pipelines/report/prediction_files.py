"""Rows with predictions -> a file or a stream: csv, jsonl or parquet, some rows at a time."""

import csv
import json
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from pipelines.core.errors import RunError
from pipelines.report import strict_json
from pipelines.report.csv_cells import harmless
from pipelines.report.predictions import join
from pipelines.report.writing import writing

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter


class PredictionFile:
    """A file that gets tables of the same columns; it appears when all of it is written.

    with PredictionFile(Path("out.csv")) as file:
        file.write(table)

    Args:
        path: decides the format by its suffix; None: JSON Lines to standard output.

    Raises:
        RunError: the suffix is unknown, or the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._partial = path and path.with_name(f"{path.name}.partial")
        self._kind = _JsonLines if path is None else check(path)
        self._rows: _Rows | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, table: "pa.Table") -> None:
        """Write some rows."""
        if self._partial is None:
            _JsonLines(sys.stdout).write(table)
            return
        with writing(self._partial):
            if self._rows is None:
                self._rows = self._kind.create(self._partial, table)
            self._rows.write(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._rows is None or self.path is None or self._partial is None:
            return
        with writing(self._partial):
            self._rows.close()
            if kind is None:
                self._partial.replace(self.path)
            self._partial.unlink(missing_ok=True)


def check(path: Path) -> "type[_Rows]":
    """Return the class that writes files with this suffix.

    Raises:
        RunError: there is none.
    """
    kinds: dict[str, type[_Rows]] = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}
    if path.suffix.lower() not in kinds:
        raise RunError(f"{path}: expected a file that ends in {', '.join(kinds)}")
    return kinds[path.suffix.lower()]


class _Rows(Protocol):
    """Writes rows in one format."""

    @classmethod
    def create(cls, path: Path, table: "pa.Table") -> "_Rows": ...

    def write(self, table: "pa.Table") -> None: ...

    def close(self) -> None: ...


class _Csv:
    def __init__(self, file: IO[str]) -> None:
        self._file, self._rows = file, csv.writer(file)

    @classmethod
    def create(cls, path: Path, table: "pa.Table") -> "_Csv":
        rows = cls(path.open("w", newline="", encoding="utf-8"))
        rows._rows.writerow(map(harmless, table.column_names))
        return rows

    def write(self, table: "pa.Table") -> None:
        columns = [map(_cell, column.to_pylist()) for column in table.columns]
        self._rows.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    def __init__(self, file: IO[str]) -> None:
        self._file = file

    @classmethod
    def create(cls, path: Path, table: "pa.Table") -> "_JsonLines":
        return cls(path.open("w", encoding="utf-8"))

    def write(self, table: "pa.Table") -> None:
        rows = map(strict_json.plain, table.to_pylist())
        self._file.writelines(_json(row) + "\n" for row in rows)

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, file: "ParquetWriter") -> None:
        self._file = file

    @classmethod
    def create(cls, path: Path, table: "pa.Table") -> "_Parquet":
        from pyarrow.parquet import ParquetWriter

        return cls(ParquetWriter(path, table.schema))

    def write(self, table: "pa.Table") -> None:
        self._file.write_table(table)

    def close(self) -> None:
        self._file.close()


def _cell(value: Any) -> Any:
    """Write a value of any type as one cell; a list of words is joined by `|`."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return harmless(join(value))
    if isinstance(value, list | dict):
        return _json(strict_json.plain(value))
    if isinstance(value, bytes):
        return _as_text(value)
    return "" if value is None else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_as_text)


def _as_text(value: Any) -> str:
    """Write what JSON has no type for: bytes by their number, dates and decimals as text."""
    return f"<{len(value):,} bytes>" if isinstance(value, bytes) else str(value)
