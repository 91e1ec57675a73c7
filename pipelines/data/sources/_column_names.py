"""Names of columns that no table can have."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.core.errors import DataError


def check_names(file: Path, names: Iterable[str]) -> None:
    """Refuse names that Arrow would cut off or not write.

    Raises:
        DataError: a name holds a NUL or half a character.
    """
    for name in names:
        if "\x00" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
            what = (
                "a NUL (is this text in UTF-32, or no text?)" if "\x00" in name else "half of one"
            )
            raise DataError(
                f"{file}: the name of column {name[:40]!r} holds a character that no table can "
                f"hold, {what}; rename the column"
            )
