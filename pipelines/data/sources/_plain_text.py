"""Plain text -> rows: a text in each line."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.core.errors import DataError
from pipelines.data.sources._content import cached_table
from pipelines.data.sources._encoding import open_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

BATCH_ROWS = 1000


@dataclass(frozen=True)
class PlainText:
    """A file of plain text, read as tables in text are.

    Attributes:
        digest: of the file's content.
        encoding: a name that Python knows.
        sample: the head of the file.
    """

    file: Path
    digest: str
    encoding: str
    sample: str
    kinds: ClassVar[Mapping[str, str]] = {}  # there are no numbers

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return ["text"]

    @property
    def note(self) -> str:
        """What was inferred, for the user."""
        return "an example in each line, blank lines left out"

    def schema(self, kinds: Mapping[str, str]) -> "pa.Schema":
        """Return the types of the columns."""
        import pyarrow as pa

        return pa.schema([("text", pa.string())])

    def batches(self, kinds: Mapping[str, str]) -> "Iterator[pa.RecordBatch]":
        """Parse the file, some rows at a time."""
        import pyarrow as pa

        all_rows = self._rows()
        while rows := list(islice(all_rows, BATCH_ROWS)):
            yield pa.RecordBatch.from_pylist(
                [dict(zip(self.names, row, strict=True)) for row in rows],
                schema=self.schema(kinds),
            )

    def read(self, kinds: Mapping[str, str]) -> "Dataset":
        """Read the file."""
        schema = self.schema(kinds)
        key = ("plain text 1", self.digest, type(self).__name__, self.encoding, str(schema))
        return cached_table(*key, schema=schema, batches=self.batches(kinds))

    def _rows(self) -> Iterator[list[Any]]:
        return ([line] for line in self._lines() if line.strip())

    def _lines(self) -> Iterator[str]:
        try:
            with io.TextIOWrapper(open_bytes(self.file), self.encoding) as lines:
                for line in lines:
                    yield line.rstrip("\n")
        except UnicodeError as error:
            raise _undecodable(self.file, self.encoding, error) from error


def decode(file: Path, encoding: str) -> str:
    """Read a file as one text.

    Raises:
        DataError: it is in another encoding.
    """
    try:
        return file.read_text(encoding)
    except UnicodeError as error:
        raise _undecodable(file, encoding, error) from error


def _undecodable(file: Path, encoding: str, error: UnicodeError) -> DataError:
    return DataError(f"{file}: is not text in {encoding} ({error}); set data.encoding=…")
