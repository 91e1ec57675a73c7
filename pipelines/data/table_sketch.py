"""What a table is about: which columns are texts, which one holds labels, in which language."""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.data.merged_columns import TEXT_TYPES

if TYPE_CHECKING:
    from datasets import Dataset

NUM_ROWS = 2_000  # that are looked at
DESCRIBED = (*TEXT_TYPES, "int64", "float64", "bool")  # not what holds lists or bytes
MAX_LABELS = 200  # different values of a column of labels
MAX_LABEL_SHARE = 0.5  # of different values among the rows, where there are few rows
MAX_FOREIGN_SHARE = 0.02  # of letters beyond a to z in English
# the commonest words that are no words of the other languages
ENGLISH = re.compile(r"\b(?:the|and|of|to|is|it|you|that|for|with|this|are|have|was|not|be|your)\b")
OTHERS = re.compile(
    r"\b(?:der|die|das|und|ist|nicht|ein|eine|ich|le|les|et|est|pas|une|des|el|los|las|y|que|por|con"
    r"|una|il|di|che|non|per|sono|het|een|van|ik|niet|og|det|som|jest|nie|na|se|os|um|uma|em)\b"
)
TAG = re.compile(r"O|[BIESLUM]-\w+")
TAG_BREAKS = re.compile(r"[\[\]'\",]")  # of lists that were written as texts


@dataclass(frozen=True)
class Column:
    """A column of a table, by a sample of its values.

    Attributes:
        num_values: how many different ones there are.
        length: characters on the average; 0 where the values are no texts.
        is_counted: whether the values are whole numbers in a row, as those of ids are.
        is_indicator: whether the values are 0 and 1, or true and false.
    """

    name: str
    num_values: int
    num_rows: int
    length: float
    is_counted: bool = False
    is_indicator: bool = False

    @property
    def may_be_label(self) -> bool:
        """Whether values repeat as labels do."""
        return 2 <= self.num_values <= min(MAX_LABELS, max(2, self.num_rows * MAX_LABEL_SHARE))

    @property
    def may_be_measured(self) -> bool:
        """Whether values are numbers that differ, such as prices."""
        return not (self.length or self.is_counted) and self.num_values > 2


def columns(train: "Dataset") -> list[Column]:
    """Describe the columns of texts, words and numbers; what holds lists or bytes is left out."""
    return [_describe(name, values) for name, values in _sample(train, DESCRIBED).items()]


def _sample(train: "Dataset", types: Container[str]) -> dict[str, list[Any]]:
    """Read the first rows of the columns of some types: name -> values."""
    rows = train.select(range(min(NUM_ROWS, len(train))))
    features = rows.features.items()
    names = [name for name, form in features if getattr(form, "dtype", None) in types]
    # read at once: each access to one column copies the features of all
    return rows.select_columns(names)[:] if names else {}


def _describe(name: str, column: list[Any]) -> Column:
    values = [value for value in column if value is not None]
    different = {*values}
    if not values or isinstance(values[0], str):
        length = sum(map(len, values)) / max(1, len(values))
        is_indicator = bool(values) and {*map(str.lower, different)} <= {"true", "false"}
        return Column(name, len(different), len(values), length, is_indicator=is_indicator)
    is_counted = max(different) - min(different) == len(different) - 1
    return Column(name, len(different), len(values), 0.0, is_counted, different <= {0, 1})


def text(train: "Dataset") -> str | None:
    """Choose the column of the longest texts; None where there are no texts."""
    texts = [column for column in columns(train) if column.length]
    return max(texts, key=lambda column: column.length).name if texts else None


def label(train: "Dataset", taken: Container[str]) -> str | None:
    """Choose the column of the fewest values, words before numbers, else the only measurements.

    Args:
        taken: columns that have another role.
    """
    described = [column for column in columns(train) if column.name not in taken]
    labels = [column for column in described if column.may_be_label]
    # words before numbers, which may be anything
    labels.sort(key=lambda column: (not column.length, column.num_values))
    measured = [column for column in described if column.may_be_measured]
    return next((column.name for column in [*labels, *measured[: len(measured) == 1]]), None)


def indicators(train: "Dataset", taken: Container[str]) -> list[str]:
    """List the columns of 0 and 1, where there are several: each is a label of its own."""
    described = [column for column in columns(train) if column.name not in taken]
    names = [column.name for column in described if column.is_indicator]
    words = [column for column in described if column.length and not column.is_indicator]
    has_words = any(column.may_be_label for column in words)
    return names if len(names) > 1 and not has_words else []


def tags(train: "Dataset", names: Container[str]) -> tuple[str, str]:
    """Return the first of some columns that holds tags of words, and one of its values.

    A tag stands alone in its row, or several do, as text: `O B-PER`, `['O', 'B-PER']`.

    Returns:
        two empty texts where there is none.
    """
    for name, sample in _sample(train, TEXT_TYPES).items():
        values = list(filter(None, sample))
        words = TAG_BREAKS.sub(" ", " ".join(values)).split()
        # classes may be called A-1 or B-2, but none of them O as well
        if name in names and {*words} > {"O"} and all(map(TAG.fullmatch, words)):
            return name, next(value for value in values if value != "O")
    return "", ""


def is_english(texts: list[Any]) -> bool:
    """Judge by letters and common words; texts without either pass for English."""
    whole = " ".join(str(text) for text in texts).lower()
    letters = [letter for letter in whole if letter.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    if foreign > MAX_FOREIGN_SHARE * len(letters):
        return False
    return len(ENGLISH.findall(whole)) >= len(OTHERS.findall(whole))
