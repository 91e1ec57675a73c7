"""On a terminal training is one live line, above which the scores of validation stay."""

import io
import re
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
from grafting import fit, prepare

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
SHORT = {"max_steps": 6, "eval_strategy": "steps", "eval_steps": 3, "logging_steps": 1}


class Terminal(io.StringIO):
    """A stream that says it can redraw what it shows."""

    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(stdout=None):
    """Both streams go to the same terminal, 100 columns wide, unless stdout goes elsewhere."""
    stream = Terminal()
    with redirect_stdout(stdout or stream), redirect_stderr(stream):
        yield stream


@pytest.fixture
def prepared(checkpoint, text_data, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    return lambda: prepare(tmp_path, checkpoint("bert"), text_data, training=SHORT)


def plain(text):
    """What is on the terminal, without colors and moves of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


def test_a_line_shows_scores_and_baseline_and_those_of_validation_stay(prepared, tmp_path):
    with terminal() as stream:
        fit(prepared(), tmp_path)
    shown = plain(stream.getvalue())
    assert "6/6 loss " in shown
    assert re.search(r"accuracy [\d.]+, best [\d.]+, baseline 0\.5", shown)
    stays = re.findall(r"^step (\d)/6 .*eval_accuracy", shown, flags=re.MULTILINE)
    assert stays == ["3", "6"]
    assert "{'" not in shown
    assert cursor_is_back(stream)


def cursor_is_back(stream):
    """Whether the cursor, which is hidden while the line is there, was shown again."""
    return stream.getvalue().rfind(SHOW) > stream.getvalue().rfind(HIDE) > 0


def test_what_is_silenced_stays_silent(prepared, tmp_path):
    silenced = io.StringIO()
    with terminal(silenced) as stream:
        fit(prepared(), tmp_path)
    assert "step 3/6" in silenced.getvalue()
    assert "step 3/6" not in stream.getvalue()
    assert "\x1b" not in silenced.getvalue()


def test_a_failure_gives_the_cursor_back(prepared, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("of the loss")

    with terminal() as stream, pytest.raises(RuntimeError, match="of the loss"):
        fit(prepared(), tmp_path, loss=fail)
    assert cursor_is_back(stream)
