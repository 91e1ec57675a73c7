"""The tags of words -> their scheme, and the same tags in IOBES, in which entities are scored.

    BIO    B- begins an entity, I- is within; IOB1: B- only after an entity of the same kind
    IOE    E- ends an entity, I- is within
    IOBES  both, and S- is an entity of one word
    BILOU  L- for E-, and U- for S-
    BMEWO  M- for I-, and W- for S- (or S-, as in BMES)

`b-per`, `B_PER` and `PER-B` are read as `B-PER`; O, or o, is outside of entities.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.core.labels import Labels

OUTSIDE = "O"
BIO, IOB1 = "BIO", "IOB1"
LETTERS = {BIO: "BI", "IOE": "IE", "IOBES": "BIES", "BILOU": "BILU", "BMEWO": "BMEWS"}
IN_IOBES = {"M": "I", "L": "E", "U": "S", "W": "S"}  # the other letters mean the same
PATTERNS = (
    re.compile(r"(?P<letter>[BIESLUMW])(?:[-_:|](?P<kind>.*))?", re.IGNORECASE),
    re.compile(r"(?P<kind>.+)[-_:|](?P<letter>[BIESLUMW])", re.IGNORECASE),
)
MAX_KINDS_SHOWN = 10

Parts = Mapping[str, tuple[str, str]]  # tag -> its letter, and the kind of entity


@dataclass(frozen=True)
class Tagging:
    """Tags of entities, taken apart; those that are outside have no parts."""

    scheme: str
    parts: Parts

    @property
    def letters(self) -> frozenset[str]:
        """The letters that occur."""
        return frozenset(letter for letter, _ in self.parts.values())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entity, whatever their case, each as it is spelled first."""
        spellings: dict[str, str] = {}
        for _, kind in self.parts.values():
            spellings.setdefault(kind.casefold(), kind)
        return tuple(spellings.values())

    def in_iobes(self, tags: Iterable[str]) -> list[str]:
        """Write the tags of a text in IOBES: `per_U` becomes `S-per`."""
        written = self._in_iobes
        return [written.get(tag, OUTSIDE) for tag in tags]

    @cached_property
    def _in_iobes(self) -> dict[str, str]:
        return {
            tag: f"{IN_IOBES.get(letter, letter)}-{kind.casefold()}"
            for tag, (letter, kind) in self.parts.items()
        }


def read(tags: Iterable[str]) -> Tagging:
    """Find the scheme of all the tags that may occur.

    Raises:
        ValueError: they are no tags of entities; says which one is not, or that the letters are of
            no scheme.
    """
    inside = [tag for tag in dict.fromkeys(tags) if tag.upper() != OUTSIDE]
    readings = [_parts(inside, pattern) for pattern in PATTERNS]
    for parts in readings:
        scheme = _scheme(parts)
        if scheme and len(parts) == len(inside):
            return Tagging(scheme, parts)
    best = max(readings, key=len)
    odd = next((tag for tag in inside if tag not in best), None)
    letters = ", ".join(sorted({letter for letter, _ in best.values()}))
    reason = f"'{odd}' has no prefix such as B- or I-" if odd else f"no scheme is made of {letters}"
    raise ValueError(reason)


def are_entities(tags: Iterable[str]) -> bool:
    """Return whether the tags are those of entities, in a scheme that is known."""
    try:
        read(tags)
    except ValueError:
        return False
    return True


def describe(labels: Labels, rows: Iterable[Iterable[Any]]) -> str:
    """Describe the tags of train in a line: their scheme, and how they are scored.

    Args:
        rows: the tags of each text, as the column spells them.
    """
    try:
        tagging = read(labels.names)
    except ValueError as error:
        are_numbers = all(name.isdecimal() for name in labels.names)
        naming = "; data.label_names=[O, B-…, I-…] names them" if are_numbers else ""
        return f"tags: {len(labels.names):,} classes, scored word by word: {error}{naming}"
    scheme, kinds = tagging.scheme, tagging.kinds
    if scheme == BIO and "I" in tagging.letters and not _begins_anywhere(tagging, labels, rows):
        scheme = IOB1
    more = ", …" * (len(kinds) > MAX_KINDS_SHOWN)
    shown = f" ({', '.join(kinds[:MAX_KINDS_SHOWN])}{more})" if any(kinds) else ""
    return (
        f"tags: {scheme}, {len(kinds):,} kind{'s' * (len(kinds) > 1)} of entity{shown}, "
        "scored as whole entities"
    )


def _parts(tags: list[str], pattern: re.Pattern[str]) -> Parts:
    matches = {tag: pattern.fullmatch(tag) for tag in tags}
    return {t: (m["letter"].upper(), m["kind"] or "") for t, m in matches.items() if m}


def _scheme(parts: Parts) -> str | None:
    letters = {letter for letter, _ in parts.values()}
    # letters alone may be anything, unless they begin or continue something
    if not (letters & {"B", "I"} or all(kind for _, kind in parts.values())):
        return None
    return next((name for name, known in LETTERS.items() if letters <= set(known)), None)


def _begins_anywhere(tagging: Tagging, labels: Labels, rows: Iterable[Iterable[Any]]) -> bool:
    """Return whether B- occurs where no entity of the same kind ends, as never in IOB1."""
    outside = ("", "")
    names = zip(labels.values, labels.names, strict=True)
    parts = {value: tagging.parts.get(name, outside) for value, name in names}
    for row in rows:
        before = outside[1]
        for value in row:
            letter, kind = parts.get(value, outside)
            if letter == "B" and kind.casefold() != before:
                return True
            before = kind.casefold()
    return False
