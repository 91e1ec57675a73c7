"""Dialect of a table in text: its encoding, and the character between its columns."""

import codecs
import csv
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.core.errors import DataError
from pipelines.data.sources._wrong_encoding import refuse_foreign, refuse_mixed

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
NUM_SAMPLE_BYTES = 1 << 16  # at the head of a file
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
# Excel's own first line, which names the separator and is no row
SEPARATOR_LINE = re.compile('\ufeff?"?sep=([^\r\n])"?(?:\r\n|\r|\n)')
MIN_NULL_SHARE = 0.2  # of a sample's bytes, in UTF-16 without a mark
# how pyarrow opens them; `.csv.gz` is a csv
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


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


def open_bytes(file: Path) -> IO[bytes]:
    """Open a file for reading its bytes, uncompressed."""
    import pyarrow as pa

    compression = COMPRESSIONS.get(file.suffix.lower())
    if not compression:
        return file.open("rb")
    stream: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(file)), compression)
    return stream


def detect_encoding(
    file: Path, sample: bytes, encoding: str | None = None, *, is_streamed: bool = False
) -> str:
    """Find out the encoding of a text: what was asked for, UTF-8, UTF-16, or windows-1252.

    Args:
        is_streamed: decide by the sample, since the file is not to be read to its end.

    Raises:
        DataError: it is none of them, or likelier another one.
    """
    if encoding:
        return encoding
    for mark, marked in BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return marked
    if sample.count(0) > MIN_NULL_SHARE * len(sample):
        # Latin letters: the zero is the second byte of two where the small byte comes first
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    max_bytes = len(sample) if is_streamed else None
    return "utf-8" if _is_utf8(file, max_bytes) else _single_byte(file, max_bytes)


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
    with open_bytes(file) as stream:
        sample = stream.read(NUM_SAMPLE_BYTES)
    known = detect_encoding(file, sample, encoding, is_streamed=is_streamed)
    text = sample.decode(known, errors="ignore")
    is_whole = len(sample) < NUM_SAMPLE_BYTES
    is_tsv = kind(file) == ".tsv"
    usual = "\t" if is_tsv else ","
    line = SEPARATOR_LINE.match(text)
    named = line[1] if line else ""
    if line:
        text = text[line.end() :]
    detected = separator or named or _separator(text, usual, is_whole=is_whole)
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
    """Whether every name in the header but the first begins with one space."""
    header = next(filter(str.strip, text.splitlines()), "")
    names = next(csv.reader([header], delimiter=separator), [])[1:]
    return bool(names) and all(re.match(" [^ ]", name) for name in names)


def _separator(text: str, usual: str, *, is_whole: bool) -> str:
    """The separator that gives every row of a sample as many columns as the header has."""
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


def _chunks(file: Path, max_bytes: int | None) -> Iterator[bytes]:
    """Read a file, or its first bytes, some megabytes at a time."""
    with open_bytes(file) as stream:
        if max_bytes is not None:
            yield stream.read(max_bytes)
            return
        while chunk := stream.read(1 << 22):
            yield chunk


def _is_utf8(file: Path, max_bytes: int | None) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(file, max_bytes):
            decoder.decode(chunk)
        # a character may be cut where the sample ends
        decoder.decode(b"", final=max_bytes is None)
    except UnicodeDecodeError:
        return False
    except (OSError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    return True


def _single_byte(file: Path, max_bytes: int | None) -> str:
    """windows-1252, if every byte is a character of it, and no other encoding is likelier."""
    refuse_mixed(file, _chunks(file, max_bytes))
    for chunk in _chunks(file, max_bytes):
        try:
            chunk.decode("cp1252")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: its text is neither UTF-8, UTF-16 nor windows-1252 (byte "
                f"0x{chunk[error.start]:02x}); set data.encoding=…, such as utf-8 or cp1251"
            ) from None
    refuse_foreign(file, _chunks(file, max_bytes))
    return "windows-1252"
