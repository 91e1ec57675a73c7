"""Pictures of explanations: letters of any script, with the fonts that there are."""

import numpy as np
import pytest
from matplotlib import font_manager

from pipelines.report import attribution_picture
from pipelines.report.fonts import MISSING, Fonts

PICTURES = True
TOKENS = ("[CLS]", "\u4f60\u597d", "caf\u00e9", "\ud55c", "a\nb", "$x$", "[SEP]")


@pytest.fixture
def no_other_font(monkeypatch):
    """No font but those that come with matplotlib and have no letters of the East."""
    usual = [e for e in font_manager.fontManager.ttflist if e.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", usual)


def test_letters_without_a_glyph_are_boxes_and_are_named(tmp_path, no_other_font):
    values = np.linspace(-1, 1, len(TOKENS))
    path = tmp_path / "tokens.png"
    missing = attribution_picture.draw_tokens(path, "\u4f60 (0.9)", TOKENS, values)
    assert missing == "\u4f60\u597d\ud55c"
    assert path.read_bytes().startswith(b"\x89PNG")
    pixels = np.zeros((4, 4, 3)), np.ones((4, 4))
    assert attribution_picture.draw_pixels(tmp_path / "p.png", "\u597d", *pixels) == "\u597d"
    assert not attribution_picture.draw_pixels(tmp_path / "q.png", "cat", *pixels)


def test_other_fonts_are_used_for_what_the_first_one_lacks(monkeypatch):
    """Matplotlib brings STIX, which has letters that its usual fonts have not."""
    entries = font_manager.fontManager.ttflist
    usual = [e for e in entries if e.name.startswith("DejaVu")]
    known = {code for e in usual for code in font_manager.get_font(e.fname).get_charmap()}
    stix = [e for e in entries if (e.name, e.weight, e.style) == ("STIXGeneral", 400, "normal")]
    letters = font_manager.get_font(stix[0].fname).get_charmap()
    text = "a" + next(chr(code) for code in sorted(letters) if code not in known)
    fonts = Fonts.covering(text, "monospace")
    assert fonts.families[0] == "monospace"
    assert len(fonts.families) == 2
    assert fonts.drawn(text) == text
    monkeypatch.setattr(font_manager.fontManager, "ttflist", usual)
    assert Fonts.covering(text, "monospace").drawn(text) == f"a{MISSING}"
