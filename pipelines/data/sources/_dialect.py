"""Dialect of a table in text: its encoding, and the character between its columns."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.sources._encoding import COMPRESSIONS, read_head

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
# Excel's own first line, which names the separator and is no row
SEPARATOR_LINE = re.compile('\ufeff?"?sep=([^\r\n])"?(?:\r\n|\r|\n)')


@dataclass(frozen=True)
class Dialect:
    """How a table is written in text.

    Attributes:
        separator: the character between two columns.
        has_quotes: whether a field may stand in quotation marks.
        encoding: a name that Python knows.
        note: what was found that is not usual, for the user; empty if nothing.
        num_skipped_lines: lines before the header.
        is_spaced: whether a space follows each separator, and is not of the value.
    """

    separator: str
    has_quotes: bool
    encoding: str
    note: str = ""
    num_skipped_lines: int = 0
    is_spaced: bool = False


def kind(file: Path) -> str:
    """Return the suffix without that of a compression: `.csv` of `train.csv.gz`."""
    suffixes = [suffix.lower() for suffix in file.suffixes[-2:]]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def stem(file: Path) -> str:
    """Return the name without its suffixes: `train` of `train.csv.gz`."""
    name = Path(file.name)
    return Path(name.stem).stem if name.suffix.lower() in COMPRESSIONS else name.stem


def detect(
    file: Path,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    is_streamed: bool = False,
) -> Dialect:
    """Find out the dialect of a table; the recipe's word counts.

    Args:
        is_streamed: look at the head of the file alone.

    Raises:
        DataError: the encoding is unknown.
    """
    head = read_head(file, encoding, is_streamed=is_streamed)
    text, known = head.text, head.encoding
    is_tsv = kind(file) == ".tsv"
    usual = "\t" if is_tsv else ","
    line = SEPARATOR_LINE.match(text)
    named = line[1] if line else ""
    if line:
        text = text[line.end() :]
    detected = separator or named or _separator(text, usual, is_whole=head.is_whole)
    # in tab-separated text a quote is a character: as in GLUE, and as IANA registered it
    has_quotes = not (is_tsv and detected == "\t")
    is_spaced = has_quotes and _is_spaced(text, detected)
    remarks = [
        f"columns separated by {SEPARATORS.get(detected, repr(detected))} (data.separator)"
        if not separator and detected != usual
        else "",
        f"text in {known} (data.encoding)"
        if not encoding and not known.startswith("utf-8")
        else "",
        f"its first line, sep={named}, is left out" if line else "",
        "the space after each separator is left out" if is_spaced else "",
    ]
    note = ", ".join(filter(None, remarks))
    return Dialect(detected, has_quotes, known, note, int(bool(line)), is_spaced)


def _is_spaced(text: str, separator: str) -> bool:
    """Return whether every name in the header but the first begins with one space."""
    header = next(filter(str.strip, text.splitlines()), "")
    names = next(csv.reader([header], delimiter=separator), [])[1:]
    return bool(names) and all(re.match(" [^ ]", name) for name in names)


def _separator(text: str, usual: str, *, is_whole: bool) -> str:
    """Return the separator that gives every row of a sample as many columns as the header has."""
    widths = {}
    for separator in dict.fromkeys([usual, *SEPARATORS]):
        width = _width(text.splitlines(keepends=True), separator, is_whole=is_whole)
        if separator == usual and width > 1:
            return usual
        widths[separator] = width
    best = max(widths, key=lambda separator: widths[separator])
    return best if widths[best] > 1 else usual


def _width(lines: Iterable[str], separator: str, *, is_whole: bool) -> int:
    """Number of columns, if all rows agree; else 0."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:  # a field longer than the reader's limit
        return 0
    # the last row of a sample may be cut
    widths = {len(row) for row in (rows if is_whole else rows[:-1])}
    return widths.pop() if len(widths) == 1 else 0
