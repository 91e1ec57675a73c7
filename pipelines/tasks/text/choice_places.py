"""The place of a choice among those of its row, by letter, number or text."""

import re
import string
from typing import Any

MAX_DIGITS = 3  # of the number of a choice
AROUND_A_LETTER = " ().:"


def in_order(text: str, texts: Any, first: int) -> int | None:
    """Return the place of a choice by its letter, or by its number counted from `first`."""
    is_number = text.isdecimal() and len(text) <= MAX_DIGITS
    place = int(text) - first if is_number else letter_place(text)
    return place if place is not None and 0 <= place < len(texts or ()) else None


def letter_place(text: str) -> int | None:
    """Return the place of a letter in the alphabet, from 0: "A", "b", "(C)", "d."; else None."""
    letter = text.strip(AROUND_A_LETTER).lower()
    return string.ascii_lowercase.find(letter) if re.fullmatch("[a-z]", letter) else None


def place_by_text(text: str, texts: Any) -> int | None:
    """Find the one choice with this text; case and white space count only in a tie."""
    if not isinstance(texts, list):
        return None
    for spelled in (str, _folded):
        wanted = spelled(text)
        equal = [i for i, each in enumerate(texts) if spelled(each) == wanted]
        if equal:
            return equal[0] if len(equal) == 1 else None
    return None


def _folded(text: Any) -> str:
    return str(text).strip().casefold()
