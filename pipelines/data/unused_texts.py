"""Columns of texts that no role takes: what the answer depends on may be lost with them.

A column holds texts if its values have three words or more on average: ids, addresses of pages,
dates and categories have fewer.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from pipelines.core.errors import DataError
from pipelines.data.finding import Finding
from pipelines.data.merged_columns import TEXT_TYPES
from pipelines.data.usual_columns import Columns, names_in

if TYPE_CHECKING:
    from datasets import Dataset

NUM_ROWS_READ = 100
MIN_WORDS = 3  # on average
# columns with these names describe an example in a few words; longer ones are texts all the same
DESCRIPTIONS = re.compile(
    r"(.*[_\W]|.*[a-z](?=[A-Z]))?"
    r"(?i:title|author|name|user|url|link|source|publisher|date|time|place|location|address|id)s?"
)
MIN_WORDS_OF_TEXT = 12  # on average, under one of these names
# two letters of a script without spaces count as a word: Japanese, Chinese, Thai
WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u9fff]{1,2}|[^\s\u0e00-\u0e7f\u3040-\u9fff]+")
MAX_SHOWN_CHARACTERS = 60  # of a text
MAX_SHOWN_COLUMNS = 5


@dataclass(frozen=True)
class UnusedText:
    """A column of texts: one of them, and how many words they have on average."""

    example: str
    num_words: float


def find(dataset: "Dataset", columns: Columns) -> dict[str, UnusedText]:
    """Find columns of texts that no role takes, nor hold what another column says as well."""
    taken = names_in(columns)
    texts = [
        name
        for name, feature in dataset.features.items()
        if getattr(feature, "dtype", None) in TEXT_TYPES
    ]
    first = dataset.select_columns(texts)[:NUM_ROWS_READ] if texts else {}
    used = [first[name] for name in texts if name in taken]
    read = [" ".join(filter(None, row)) for row in zip(*used, strict=True)]
    unused = {}
    for name in texts:
        values = [text for text in first[name] if text]
        num_words = sum(map(_count_words, values)) / max(len(values), 1)
        if name not in taken and num_words >= MIN_WORDS and not _is_within(first[name], read):
            unused[name] = UnusedText(max(values, key=len), num_words)
    return unused


def check(unused: Mapping[str, UnusedText], columns: Columns) -> None:
    """Refuse to choose among several columns of texts.

    Args:
        unused: column -> what it holds.
        columns: role -> column, as they were guessed.

    Raises:
        DataError: two or more are left over, titles, names and the like not counted.
    """
    texts = {
        name: text
        for name, text in unused.items()
        if text.num_words >= MIN_WORDS_OF_TEXT or not DESCRIPTIONS.fullmatch(name)
    }
    if len(texts) < 2:
        return
    shown = [f"'{name}' ({text.num_words:.0f} words on average)" for name, text in texts.items()]
    more = f" and {len(shown) - MAX_SHOWN_COLUMNS} more" * (len(shown) > MAX_SHOWN_COLUMNS)
    everything = {**columns, "text": [*names_in({"text": columns["text"]}), *texts]}
    raise DataError(
        f"columns {', '.join(shown[:MAX_SHOWN_COLUMNS])}{more} hold texts ({MIN_WORDS} words or "
        "more) and would not be used; name the columns to read: "
        f"data: {{columns: {_mapping(everything)}}} reads all, joined, and "
        f"data: {{columns: {_mapping(columns)}}} leaves them out"
    )


def findings(unused: Mapping[str, UnusedText]) -> Iterator[Finding]:
    """Yield a warning for each column of texts that no role takes."""
    for column, text in unused.items():
        yield Finding(
            "warning",
            f"column '{column}' holds texts ('{text.example[:MAX_SHOWN_CHARACTERS]}') and is not "
            f"used ({text.num_words:.0f} words on average): if the answer depends on it, give it a "
            "role in data.columns, such as text_pair",
        )


def _count_words(text: str) -> int:
    """Count words, 0 in what is mostly digits: dates and numbers are no texts."""
    words = WORD.findall(text)
    with_letters = sum(any(map(str.isalpha, word)) for word in words)
    return len(words) if 2 * with_letters > len(words) else 0


def _is_within(column: list[str | None], read: list[str]) -> bool:
    """Return whether each text of a column stands in what is read of its row."""
    return bool(read) and all(
        (text or "").strip() in row for text, row in zip(column, read, strict=True)
    )


def _mapping(columns: Columns) -> str:
    """Write columns as they stand in a recipe."""
    return yaml.safe_dump(
        columns, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    ).strip()
