"""Fonts that have the letters of a text, among those that are installed."""

from collections.abc import Iterator
from dataclasses import dataclass

MISSING = "□"  # in place of a letter that no font has
LAST_RESORT = "Last Resort"  # the name of one that has a box for every letter


@dataclass(frozen=True)
class Fonts:
    """Families that have the letters of a text, the first one preferred.

    Attributes:
        missing: the letters that none of them has.
    """

    families: tuple[str, ...]
    missing: str

    @classmethod
    def covering(cls, text: str, family: str) -> "Fonts":
        """Choose `family`, and others for the letters that it lacks."""
        from matplotlib import font_manager

        missing = {letter for letter in text if letter not in " \n"}
        first = font_manager.findfont(font_manager.FontProperties(family=[family]))
        missing -= _letters_in(first, missing)
        families = [family]
        for name, path in _installed() if missing else ():
            if has := _letters_in(path, missing):
                families.append(name)
                missing -= has
        return cls(tuple(families), "".join(sorted(missing)))

    def drawn(self, text: str) -> str:
        """Put a box in place of each letter that no font has."""
        return text.translate(dict.fromkeys(map(ord, self.missing), MISSING))


def _installed() -> Iterator[tuple[str, str]]:
    """Yield family and file of each upright font of usual weight."""
    from matplotlib import font_manager

    for entry in font_manager.fontManager.ttflist:
        is_usual = entry.style == "normal" and entry.weight in (400, "normal", "regular")
        if is_usual and not entry.name.startswith(LAST_RESORT):
            yield entry.name, entry.fname


def _letters_in(path: str, letters: set[str]) -> set[str]:
    """Return those of some letters that a font has."""
    from matplotlib import font_manager

    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):  # it is removed, or damaged
        return set()
    return {letter for letter in letters if font.get_char_index(ord(letter))}
