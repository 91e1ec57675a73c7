"""Pictures of explanations: letters of any script, with the fonts that there are."""

import numpy as np
import pytest
from matplotlib import font_manager

from pipelines.report import attribution_picture
from pipelines.report.fonts import MISSING, Fonts

PICTURES = True
TOKENS = ("[CLS]", "\u4f60\u597d", "caf\u00e9", "\U0001f600", "a\nb", "$x$", "[SEP]")


@pytest.fixture
def no_other_font(monkeypatch):
    """No installed font but the one that is preferred."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])


def test_letters_without_a_glyph_are_boxes_and_are_named(tmp_path, no_other_font):
    values = np.linspace(-1, 1, len(TOKENS))
    path = tmp_path / "tokens.png"
    missing = attribution_picture.draw_tokens(path, "\u4f60 (0.9)", TOKENS, values)
    assert missing == "\u4f60\u597d\U0001f600"
    assert path.read_bytes().startswith(b"\x89PNG")
    pixels = np.zeros((4, 4, 3)), np.ones((4, 4))
    assert attribution_picture.draw_pixels(tmp_path / "p.png", "\u597d", *pixels) == "\u597d"
    assert not attribution_picture.draw_pixels(tmp_path / "q.png", "cat", *pixels)


def test_other_fonts_are_used_for_what_the_first_one_lacks(monkeypatch):
    """Matplotlib brings STIX, which has letters of phonetics that its usual font has not."""
    first = font_manager.findfont(font_manager.FontProperties(family=["monospace"]))
    known = font_manager.get_font(first).get_charmap()
    others = [e for e in font_manager.fontManager.ttflist if e.name == "STIXGeneral"]
    (entry,) = (e for e in others if (e.weight, e.style) == (400, "normal"))
    letters = font_manager.get_font(entry.fname).get_charmap()
    text = "a" + next(chr(code) for code in sorted(letters) if code not in known)
    fonts = Fonts.covering(text, "monospace")
    assert fonts.families[0] == "monospace"
    assert len(fonts.families) == 2
    assert fonts.drawn(text) == text
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [])
    assert Fonts.covering(text, "monospace").drawn(text) == f"a{MISSING}"
