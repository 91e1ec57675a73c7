"""What a table is about: which columns are texts, which one holds labels, in which language."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

NUM_ROWS = 2_000  # that are looked at
MAX_LABELS = 200  # different values of a column of labels
MAX_LABEL_SHARE = 0.5  # of different values among the rows, where there are few rows
MAX_FOREIGN_SHARE = 0.02  # of letters beyond a to z in English
# the commonest words that are no words of the other languages
ENGLISH = re.compile(r"\b(?:the|and|of|to|is|it|you|that|for|with|this|are|have|was|not|be|your)\b")
OTHERS = re.compile(
    r"\b(?:der|die|das|und|ist|nicht|ein|eine|ich|le|les|et|est|pas|une|des|el|los|las|y|que|por|con"
    r"|una|il|di|che|non|per|sono|het|een|van|ik|niet|og|det|som|jest|nie|na|se|os|um|uma|em)\b"
)


@dataclass(frozen=True)
class Column:
    """A column of a table, by a sample of its values.

    Attributes:
        num_values: how many different ones there are.
        length: characters on the average; 0 where the values are no texts.
    """

    name: str
    num_values: int
    num_rows: int
    length: float

    @property
    def may_be_label(self) -> bool:
        """Whether values repeat as labels do."""
        return 2 <= self.num_values <= min(MAX_LABELS, max(2, self.num_rows * MAX_LABEL_SHARE))


def columns(train: "Dataset") -> list[Column]:
    """Describe the columns of texts, words and numbers; what holds lists or bytes is left out."""
    sample = train.select(range(min(NUM_ROWS, len(train))))
    described = []
    for name, feature in sample.features.items():
        if getattr(feature, "dtype", None) not in ("string", "large_string", "int64", "bool"):
            continue
        values = [value for value in sample[name][:] if value is not None]
        is_text = bool(values) and isinstance(values[0], str)
        length = sum(map(len, values)) / len(values) if is_text else 0.0
        described.append(Column(name, len({*values}), len(values), length))
    return described


def text_and_label(train: "Dataset") -> dict[str, str]:
    """Choose the column of the longest texts, and of the others the one of the fewest values.

    Returns:
        role -> column, of text and label those that there are.
    """
    described = columns(train)
    texts = [column for column in described if column.length]
    if not texts:
        return {}
    text = max(texts, key=lambda column: column.length)
    labels = [column for column in described if column is not text and column.may_be_label]
    # words before numbers, which may be anything
    labels.sort(key=lambda column: (not column.length, column.num_values))
    return {"text": text.name} | ({"label": labels[0].name} if labels else {})


def is_english(texts: list[Any]) -> bool:
    """Judge by letters and common words; texts without either pass for English."""
    whole = " ".join(str(text) for text in texts).lower()
    letters = [letter for letter in whole if letter.isalpha()]
    foreign = sum(not letter.isascii() for letter in letters)
    if foreign > MAX_FOREIGN_SHARE * len(letters):
        return False
    return len(ENGLISH.findall(whole)) >= len(OTHERS.findall(whole))
