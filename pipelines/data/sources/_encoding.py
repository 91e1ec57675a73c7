"""Encoding of a text, by the head of its file and, where that is not enough, by all of it."""

import codecs
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.data.sources._wrong_encoding import refuse_foreign, refuse_mixed

NUM_SAMPLE_BYTES = 1 << 16  # at the head of a file
# the longer ones first: that of UTF-32 begins like that of UTF-16
BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
MIN_NULL_SHARE = 0.2  # of a sample's bytes, in UTF-16 without a mark
# how pyarrow opens them; `.csv.gz` is a csv
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


@dataclass(frozen=True)
class FileHead:
    """The head of a file of text.

    Attributes:
        encoding: a name that Python knows.
        text: its characters; the last may be cut off.
        is_whole: whether the file ends where it does.
    """

    encoding: str
    text: str
    is_whole: bool


def open_bytes(file: Path) -> IO[bytes]:
    """Open a file for reading its bytes, uncompressed."""
    import pyarrow as pa

    compression = COMPRESSIONS.get(file.suffix.lower())
    if not compression:
        return file.open("rb")
    stream: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(file)), compression)
    return stream


def read_head(file: Path, encoding: str | None = None, *, is_streamed: bool = False) -> FileHead:
    """Read the head of a file, and find out the encoding of all of it.

    Args:
        encoding: null to detect it.
        is_streamed: look at the head alone.

    Raises:
        DataError: the file cannot be read, or its encoding is unknown, or not what was asked for.
    """
    try:
        with open_bytes(file) as stream:
            sample = stream.read(NUM_SAMPLE_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {first_line(error)}") from error
    known = detect_encoding(file, sample, encoding, is_streamed=is_streamed)
    text = sample.decode(known, errors="ignore")
    return FileHead(known, text, len(sample) < NUM_SAMPLE_BYTES)


def detect_encoding(
    file: Path, sample: bytes, encoding: str | None = None, *, is_streamed: bool = False
) -> str:
    """Find out the encoding of a text: what was asked for, UTF-8, -16 or -32, windows-1252.

    Args:
        is_streamed: decide by the sample, since the file is not to be read to its end.

    Raises:
        DataError: it is none of them, or likelier another one, or not what was asked for.
    """
    if encoding:
        _check_encoding(file, sample, encoding)
        return encoding
    for mark, marked in BYTE_ORDER_MARKS.items():
        if sample.startswith(mark):
            return marked
    if sample.count(0) > MIN_NULL_SHARE * len(sample):
        # Latin letters: the zero is the second byte of two where the small byte comes first
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    max_bytes = len(sample) if is_streamed else None
    return "utf-8" if _is_utf8(file, max_bytes) else _single_byte(file, max_bytes)


def _check_encoding(file: Path, sample: bytes, encoding: str) -> None:
    """Refuse the recipe's encoding where the head of a file is not in it."""
    reason = _flaw(sample, encoding)
    # two letters of UTF-8 are most often one of UTF-16 as well, of a script that nobody wrote
    if not reason and encoding.startswith("utf-16") and sample and 0 not in sample:
        reason = "" if _flaw(sample, "utf-8") else "it is in utf-8"
    if reason:
        raise DataError(
            f"{file}: is not text in {encoding} ({reason}); set data.encoding to the encoding of "
            "all files, or leave it out to detect that of each"
        )


def _flaw(sample: bytes, encoding: str) -> str:
    """Say why a sample, whose end may be cut off, is not in an encoding; empty if it is."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError as error:
        return str(error)
    return ""


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
    """Return windows-1252, if every byte is one of its characters, and no other is likelier."""
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
