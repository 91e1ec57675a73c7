"""Texts with typos, in other case, with words or the end missing, with wrong white space."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np

from pipelines.evaluation.corruptions import Corrupt, Corruptions

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("text", "text_pair")  # roles
# by severity; a typist who is not careful gets one letter of 20 wrong
TYPO_SHARES = (0.02, 0.04, 0.08, 0.12, 0.16)  # of letters
CASE_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)  # of words
DROPPED_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)  # of words
KEPT_SHARES = (0.9, 0.75, 0.5, 0.35, 0.2)  # of a text's characters
SPACE_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)  # of white space; of letters an eighth of it
LETTERS_PER_SPACE = 8
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NUM_TYPOS = 3  # a neighbor on the keyboard, two letters swapped, a letter left out
WORD_ENDS = re.compile(r"(\s+)")


def _neighbors() -> dict[str, str]:
    """Return letter -> the letters beside it, above and below on a keyboard."""
    near: dict[str, str] = {}
    for row, letters in enumerate(KEYBOARD):
        for column, letter in enumerate(letters):
            beside = letters[max(0, column - 1) : column] + letters[column + 1 : column + 2]
            others = [KEYBOARD[r] for r in (row - 1, row + 1) if 0 <= r < len(KEYBOARD)]
            near[letter] = beside + "".join(other[column : column + 1] for other in others)
    return near


NEIGHBORS = _neighbors()


def typos(text: str, severity: int, draws: np.random.Generator) -> str:
    """Replace letters by their neighbors on a keyboard, swap two, or leave one out."""
    chances = draws.random((len(text), 3))
    is_changed = chances[:, 0] < TYPO_SHARES[severity - 1]
    letters = list(text)
    for i in np.flatnonzero(is_changed):
        letter, kind = text[i], int(chances[i, 1] * NUM_TYPOS)
        near = NEIGHBORS.get(letter.lower())
        if not letter.isalpha():
            continue
        if kind == 0 and near:
            new = near[int(chances[i, 2] * len(near))]
            letters[i] = new.upper() if letter.isupper() else new
        elif kind == 1 and i + 1 < len(text) and text[i + 1].isalpha():
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
        else:
            letters[i] = ""
    # an empty text would be another kind of input
    return "".join(letters) if "".join(letters).strip() else text


def case(text: str, severity: int, draws: np.random.Generator) -> str:
    """Write words in capitals, and those in capitals without."""
    pieces = WORD_ENDS.split(text)
    is_changed = draws.random(len(pieces)) < CASE_SHARES[severity - 1]
    return "".join(
        (piece.lower() if piece.isupper() else piece.upper()) if changed else piece
        for piece, changed in zip(pieces, is_changed, strict=True)
    )


def dropped_words(text: str, severity: int, draws: np.random.Generator) -> str:
    """Leave words out; one stays."""
    words = text.split()
    if len(words) < 2:
        return text
    chances = draws.random(len(words))
    least = min(DROPPED_SHARES[severity - 1], chances.max())
    return " ".join(word for word, chance in zip(words, chances, strict=True) if chance >= least)


def truncation(text: str, severity: int, draws: np.random.Generator) -> str:
    """Cut the end off."""
    length = max(1, round(KEPT_SHARES[severity - 1] * len(text)))
    start = text[:length]
    return start if start.strip() else text


def white_space(text: str, severity: int, draws: np.random.Generator) -> str:
    """Join words, and cut others in two."""
    share = SPACE_SHARES[severity - 1]
    chances = draws.random(len(text)).tolist()
    changed = []
    for letter, chance in zip(text, chances, strict=True):
        if letter.isspace():
            changed.append("" if chance < share else letter)
        else:
            changed.append(letter + " " * (chance < share / LETTERS_PER_SPACE))
    return "".join(changed)


class TextCorruptions(Corruptions):
    """Corruptions of each text by itself; of pairs, all first texts come before the second ones."""

    kinds: ClassVar[Mapping[str, Corrupt]] = {
        "typos": typos,
        "case": case,
        "dropped_words": dropped_words,
        "truncation": truncation,
        "white_space": white_space,
    }

    def read(self, dataset: "Dataset", rows: Sequence[int], processor: Any) -> list[str]:
        """Read the texts of all columns, one column after the other."""
        drawn = dataset.select(rows)
        return [text for column in _columns(drawn) for text in drawn[column][:]]

    def write(self, dataset: "Dataset", contents: Sequence[str]) -> "Dataset":
        """Replace the columns of texts."""
        count = len(dataset)
        for i, column in enumerate(_columns(dataset)):
            texts = list(contents[i * count : (i + 1) * count])
            dataset = dataset.remove_columns([column]).add_column(column, texts)
        return dataset

    def digest(self, content: str) -> int:
        """Reduce a text to a number."""
        return crc32(content.encode())


def _columns(dataset: "Dataset") -> list[str]:
    return [column for column in COLUMNS if column in dataset.column_names]
