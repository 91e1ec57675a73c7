"""What a run shows."""

import io
from contextlib import nullcontext, redirect_stderr, redirect_stdout

import datasets
import pytest

from pipelines.cli import main
from pipelines.core.console import busy, duration, say, warn, wrapped


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.234, "0.23 s"), (3.21, "3.2 s"), (48.7, "49 s"), (60, "1 min"), (7530, "125.5 min")],
)
def test_no_time_is_rounded_to_nothing(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b[31mred\x07\rover", "?[31mred??over"),
        ("\u202eevas", "?evas"),
        ("half \ud83d", "half ?"),
        ("a\tb\nc 犬\u3000é\xa0", "a\tb\nc 犬\u3000é\xa0"),
    ],
)
def test_no_line_steers_the_terminal(capsys, text, printed):
    say(text)
    warn(text)
    assert capsys.readouterr() == (f"{printed}\n", f"{printed}\n")


class Terminal(io.StringIO):
    """A stream that says it can redraw what it shows."""

    def isatty(self):
        return True


@pytest.mark.parametrize("width", [20, 40])
def test_prose_breaks_between_words_on_a_narrow_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    prose = "data: 3 of 100 rows of train are duplicates; data.on_bad_row: skip leaves them out"
    assert wrapped(prose) == prose  # a log has no width
    with redirect_stdout(Terminal()):
        lines = wrapped(prose).splitlines()
    assert " ".join(map(str.strip, lines)) == prose
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [40, 100])
def test_a_list_breaks_between_words_on_a_narrow_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    with redirect_stdout(Terminal()) as narrow:
        assert main(["list"]) == 0
    with redirect_stdout(io.StringIO()) as log:
        assert main(["list"]) == 0
    assert narrow.getvalue().split() == log.getvalue().split()
    lines = narrow.getvalue().splitlines()
    assert all(len(line) <= width or " " not in line.strip() for line in lines[1:])


@pytest.mark.parametrize(("stream", "shows"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_terminal_shows_what_takes_its_time_and_a_log_does_not(stream, shows, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(stream), busy("loading libraries"):
        pass
    assert ("loading libraries" in stream.getvalue()) == shows
    assert not stream.getvalue() or stream.getvalue().rstrip("\n").endswith("\x1b[2K")


@pytest.fixture
def bars():
    """Show the bars of `datasets`, which a command that wrote to a log has turned off for good."""
    were_off = datasets.utils.are_progress_bars_disabled()
    datasets.enable_progress_bars()
    yield
    if were_off:
        datasets.disable_progress_bars()


@pytest.mark.usefixtures("bars")
def test_a_bar_leaves_no_lines_where_something_else_is_shown(monkeypatch):
    """Each of its states would be one: rich prints what others write above its own line."""
    monkeypatch.setenv("TERM", "xterm")
    rows = datasets.Dataset.from_dict({"n": [1, 2]})
    shown = []
    for what in (busy("loading"), nullcontext()):
        stream = Terminal()
        with redirect_stderr(stream), what:
            rows.map(lambda row: {"m": row["n"] + 1}, desc="encoding", load_from_cache_file=False)
        shown.append("encoding" in stream.getvalue())
    assert shown == [False, True]
