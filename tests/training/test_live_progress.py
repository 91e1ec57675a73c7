"""On a terminal training is one live line, above which the scores of validation stay."""

import io
import re

import pytest
from grafting import fit, prepare

SHORT = {"max_steps": 6, "eval_strategy": "steps", "eval_steps": 3, "logging_steps": 1}


class Terminal(io.StringIO):
    """A stream that says it can redraw what it shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Both streams go to the same terminal, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def plain(text):
    """What is on the terminal, without colors and moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_line_shows_scores_and_baseline_and_those_of_validation_stay(
    checkpoint, text_data, tmp_path, terminal
):
    prepared = prepare(tmp_path, checkpoint("bert"), text_data, training=SHORT)
    fit(prepared, tmp_path)
    shown = plain(terminal.getvalue())
    assert "6/6 loss " in shown
    assert re.search(r"accuracy [\d.]+, best [\d.]+, baseline 0\.5", shown)
    stays = re.findall(r"^step (\d)/6 .*eval_accuracy", shown, flags=re.MULTILINE)
    assert stays == ["3", "6"]
    assert "{'" not in shown
    # the cursor is hidden while the line is there
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l") > 0


def test_what_is_silenced_stays_silent(checkpoint, text_data, tmp_path, terminal, monkeypatch):
    silenced = io.StringIO()
    monkeypatch.setattr("sys.stdout", silenced)
    prepared = prepare(tmp_path, checkpoint("bert"), text_data, training=SHORT)
    fit(prepared, tmp_path)
    assert "step 3/6" in silenced.getvalue()
    assert "step 3/6" not in terminal.getvalue()
    assert "\x1b" not in silenced.getvalue()


def test_a_failure_gives_the_cursor_back(checkpoint, text_data, tmp_path, terminal):
    def fail(*_):
        raise RuntimeError("of the loss")

    prepared = prepare(tmp_path, checkpoint("bert"), text_data, training=SHORT)
    with pytest.raises(RuntimeError, match="of the loss"):
        fit(prepared, tmp_path, loss=fail)
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l") > 0
