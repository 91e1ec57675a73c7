"""What the lines of a plain text hold: texts, or words and their tags."""

from pathlib import Path
from typing import Literal

from pipelines.data.sources._dialect import kind
from pipelines.data.sources._encoding import read_head
from pipelines.data.sources._plain_text import PlainText
from pipelines.data.sources._tagged_words import TaggedWords

LINES = ".txt"
CONLL = (".conll", ".iob", ".bio")
SUFFIXES = (*CONLL, LINES)

Form = Literal["lines", "conll"]


def open_text(
    file: Path,
    digest: str,
    encoding: str | None,
    form: Form | None,
    *,
    is_streamed: bool = False,
) -> PlainText:
    """Find out what the lines of a file hold; the recipe's word counts.

    Args:
        encoding: null to detect it.
        form: null to detect it.
        is_streamed: look at the head of the file alone.

    Raises:
        DataError: the encoding is unknown.
    """
    head = read_head(file, encoding, is_streamed=is_streamed)
    # the last line of a sample may be cut
    known, text = head.encoding, head.text if head.is_whole else head.text.rpartition("\n")[0]
    tagged = TaggedWords(file, digest, known, text)
    if form is None:
        form = "conll" if kind(file) in CONLL or tagged.looks_tagged() else "lines"
    return tagged if form == "conll" else PlainText(file, digest, known, text)
