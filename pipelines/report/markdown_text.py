"""Text of users in Markdown: a label or a name shows as it is, and changes nothing around it."""

import html
import re

# what may begin or end something in the middle of a line; an underscore does not within a word
MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)")

# a line break would begin a heading, a list or a table's row; others turn the order of letters
UNPRINTABLE = re.compile("[\\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


def escape(text: str) -> str:
    """Write a text on one line so that Markdown shows its characters.

    HTML is written as entities: `<script>` and images in a label stay text.
    """
    line = UNPRINTABLE.sub(" ", text).strip()
    return MARKUP.sub(r"\\\g<0>", html.escape(line, quote=False))


def fence(text: str, language: str = "") -> str:
    """Write a block of code, with a fence longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"
