"""A word and its tag in each line (CoNLL) -> rows, each a sentence."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.data.sources._plain_text import PlainText

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SHOWN = 80  # characters of a line, in messages
DOCUMENT_START = "-DOCSTART-"  # in CoNLL-2003, a line of its own and no word
# B-PER, PER-B, O, and parts of speech such as NNP, WP$ and punctuation
TAG = re.compile(r"[BIELMSUW]-\S+|\S+-[BIELMSUW]|[A-Z][A-Z$]*|[^\w\s]+")


class TaggedWords(PlainText):
    """A word in each line, its tag in the last column, an empty line after each sentence."""

    @property
    def names(self) -> list[str]:
        """Words come first and tags last; what is between is named by its place."""
        return ["tokens", *(f"column_{i}" for i in range(2, self.width)), "tags"]

    @property
    def note(self) -> str:
        """What was inferred, for the user."""
        columns = f"{self.width} columns separated by {'tabs' if self.has_tabs else 'spaces'}"
        return f"a word in each line and its tag in the last of {columns} (CoNLL)"

    def schema(self, kinds: Mapping[str, str]) -> "pa.Schema":
        """Return the types of the columns."""
        import pyarrow as pa

        return pa.schema([(name, pa.list_(pa.string())) for name in self.names])

    @cached_property
    def has_tabs(self) -> bool:
        """Whether tabs separate the columns, so that a word may hold a space."""
        return "\t" in next((line for line in _filled(self.sample) if not _starts(line)), "")

    @cached_property
    def width(self) -> int:
        """The number of columns.

        Raises:
            DataError: there is one column alone.
        """
        widths = Counter(len(self.split(line)) for line in _filled(self.sample))
        width = widths.most_common(1)[0][0] if widths else 2
        if width < 2:
            raise DataError(
                f"{self.file}: one column; expected a word in each line, and its tag behind a "
                "space or a tab"
            )
        return width

    def split(self, line: str) -> list[str]:
        """Split a line into its columns."""
        return line.split("\t") if self.has_tabs else re.split(r"[ \t]+", line.strip(" \t"))

    def looks_tagged(self) -> bool:
        """Return whether the head of the file holds words and tags, and no sentences."""
        lines = [line for line in _filled(self.sample) if not _starts(line)]
        rows = [self.split(line) for line in lines]
        return (
            len({len(row) for row in rows}) == 1
            and len(rows[0]) > 1
            and all(TAG.fullmatch(row[-1]) for row in rows)
        )

    def _rows(self) -> Iterator[list[Any]]:
        sentence: list[list[str | None]] = []
        for number, line in enumerate(self._lines(), 1):
            if not line.strip() or _starts(line):
                if sentence:
                    yield [list(column) for column in zip(*sentence, strict=True)]
                sentence = []
                continue
            row = self.split(line)
            # a comment on the sentence, as MultiCoNER and CoNLL-U have
            if not sentence and line.startswith("#") and len(row) != self.width:
                continue
            if len(row) != self.width or not row[0]:
                raise DataError(
                    f"{self.file}, line {number}: {line[:MAX_SHOWN]!r}: expected a word and its "
                    f"tag, {self.width} columns in all, as in the first lines"
                )
            sentence.append([field or None for field in row])
        if sentence:
            yield [list(column) for column in zip(*sentence, strict=True)]


def _filled(text: str) -> list[str]:
    """Return the lines that are not blank."""
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def _starts(line: str) -> bool:
    """Return whether a line starts a document."""
    return line.startswith(DOCUMENT_START)
