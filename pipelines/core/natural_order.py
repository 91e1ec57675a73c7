"""The order in which people count: 2 before 10."""

import re
from typing import Any

DIGITS = re.compile(r"([0-9]{1,300})")  # int() refuses thousands of digits
NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?")


def natural(value: Any) -> tuple[Any, ...]:
    """Return a sort key that orders numbers, also those in texts, by value: "x 2" before "x 10"."""
    if not isinstance(value, str):
        return (0, value, "")
    if NUMBER.fullmatch(value):
        return (0, float(value), value)
    # texts and numbers alternate, so that equal places are of one type
    pieces = DIGITS.split(value)
    return (1, tuple(int(p) if i % 2 else p for i, p in enumerate(pieces)), value)
