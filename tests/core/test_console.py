"""What a run shows."""

import io
from contextlib import redirect_stderr

import pytest

from pipelines.core.console import busy, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.234, "0.23 s"), (3.21, "3.2 s"), (48.7, "49 s"), (60, "1 min"), (7530, "125.5 min")],
)
def test_no_time_is_rounded_to_nothing(seconds, text):
    assert duration(seconds) == text


class Terminal(io.StringIO):
    """A stream that says it can redraw what it shows."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shows"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_terminal_shows_what_takes_its_time_and_a_log_does_not(stream, shows, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(stream), busy("loading libraries"):
        pass
    assert ("loading libraries" in stream.getvalue()) == shows
    assert not stream.getvalue() or stream.getvalue().rstrip("\n").endswith("\x1b[2K")
