"""Text that windows-1252 can read but that was not written in it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.core.errors import DataError

# two accents in a row are usual at most ("créée"); other scripts write whole words so
FOREIGN_RUN = re.compile(rb"[\x80-\xff]{3,}")
ALL_ASCII = bytes(range(0x80))
MAX_FOREIGN_SHARE = 0.3  # of the bytes beyond ASCII
FOREIGN = "such as cp1251, gbk, shift_jis (or windows-1252, if it is)"


def refuse_foreign(file: Path, chunks: Iterable[bytes]) -> None:
    """Refuse text whose bytes beyond ASCII are not the accents of a western language.

    Raises:
        DataError: they stand in words of their own.
    """
    num_high, num_foreign = 0, 0
    for chunk in chunks:
        num_high += len(chunk.translate(None, ALL_ASCII))
        # a line of dashes is no word
        num_foreign += sum(len(run) for run in FOREIGN_RUN.findall(chunk) if len(set(run)) > 1)
    if num_foreign > MAX_FOREIGN_SHARE * num_high:
        raise DataError(
            f"{file}: its text is neither UTF-8 nor UTF-16, and in windows-1252 it would have "
            f"words of accents alone; set data.encoding, {FOREIGN}"
        )


def refuse_mixed(file: Path, chunks: Iterable[bytes]) -> None:
    """Refuse a file that is UTF-8 but for some lines.

    Raises:
        DataError: of its lines beyond ASCII, at least half are UTF-8, which no other text is.
    """
    num_valid = 0
    invalid: list[tuple[int, int]] = []
    for i, line in enumerate(_lines(chunks), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            num_valid += 1
        except UnicodeDecodeError as error:
            invalid.append((i, line[error.start]))
    if invalid and num_valid >= len(invalid):
        number, byte = invalid[0]
        raise DataError(
            f"{file}, line {number}: byte 0x{byte:02x} is not UTF-8, as other lines of the file "
            f"are (UTF-8: {num_valid} lines beyond ASCII; not: {len(invalid)}); write these lines "
            "in UTF-8, or set data.encoding, such as windows-1252"
        )


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    yield rest
