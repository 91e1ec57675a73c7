"""A table in text, written again as Arrow reads it."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

NUM_ROWS = 1000  # written at a time


class RewrittenTable(io.RawIOBase):
    """Bytes of rows in UTF-8, without what only Python's reader of them knows.

    Args:
        text: what the rows are read from; closed with this.
        rows: the header and all others, some of which may be empty.
        separator: what to write between two columns.
    """

    def __init__(self, text: IO[str], rows: Iterator[list[str]], separator: str) -> None:
        self._text, self._rows, self._separator = text, rows, separator
        self._rest = b""

    def close(self) -> None:
        """Close the text, too."""
        self._text.close()
        super().close()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes: 0 at the end."""
        if not self._rest:
            text = io.StringIO(newline="")
            writer = csv.writer(text, delimiter=self._separator, lineterminator="\n")
            writer.writerows(filter(None, islice(self._rows, NUM_ROWS)))
            self._rest = text.getvalue().encode()
        num_bytes = min(len(buffer), len(self._rest))
        buffer[:num_bytes], self._rest = self._rest[:num_bytes], self._rest[num_bytes:]
        return num_bytes
