"""Sections that are read like `data:` under another key: messages of its stages name theirs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.core.errors import DataError

# in messages of stages that serve `data`, too; what names the other section already stays
DATA_KEY = re.compile(r"\bdata\.(?!(?:target|sources)\b)(?=[a-z])")


def renamed(text: str, key: str) -> str:
    """Make a message of a stage of `data` name the keys of the section `key`."""
    return DATA_KEY.sub(f"{key}.", text)


@contextmanager
def named(key: str) -> Iterator[None]:
    """Make errors of the stages of `data` name the keys of the section `key`.

    Raises:
        DataError: the same one, in these words.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{key}: {renamed(str(error), key)}") from error
