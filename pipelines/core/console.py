"""What a run shows: one line at a time, from the main process only.

Bars appear on terminals and in notebooks only; a log file gets plain lines.
"""

import io
import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

from pipelines.core.processes import is_main
from pipelines.core.redaction import redact

# control characters but tabs and ends of lines, marks that turn the direction of text, halves of
# characters, which no terminal takes
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """Return a text as a terminal may have it: names in it come from data, files and the Hub."""
    return STEERING.sub("?", redact(text))


def say(text: str) -> None:
    """Print a line for the user, on the main process."""
    if is_main():
        print(shown(text), flush=True)


def warn(text: str) -> None:
    """Print a line to stderr, on the main process: stdout may be JSON."""
    if is_main():
        print(shown(text), file=sys.stderr, flush=True)


def line_width() -> int | None:
    """Return how many characters a line of the terminal holds; None where output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, indent: str = "  ") -> str:
    """Break a line of prose between words where the terminal would break it within one.

    Not for code and commands: a piece of them that is copied would not run.

    Args:
        indent: begins each further line.
    """
    width = line_width()
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def duration(seconds: float) -> str:
    """Write seconds as `0.2 s`, `48 s`, `1.5 min` or `125 min`."""
    if seconds >= 60:
        return f"{seconds / 60:,.1f}".removesuffix(".0") + " min"
    return f"{seconds:.2g} s"


def printable(value: object, limit: int = 200) -> str:
    """Write a value on one line, without what would steer a terminal.

    Args:
        limit: of characters; more are cut off.
    """
    line = " ".join(str(value).split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something is under way, which has no lines of its own."""
    if not (is_main() and sys.stderr.isatty()):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what), _hidden_bars():
        yield


@contextmanager
def _hidden_bars() -> Iterator[None]:
    """Hide bars of `datasets`: while a status is shown, each of their states would be a line."""
    bars = sys.modules.get("datasets.utils")
    if bars is None or bars.are_progress_bars_disabled():
        yield
        return
    with warnings.catch_warnings():
        # a variable may have set them for good, and has priority
        warnings.filterwarnings("ignore", message="Cannot disable progress bars")
        bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()


@contextmanager
def capture_stdout() -> Iterator[Callable[[str], None]]:
    """Silence stdout inside the block; yields a `say` that still writes to the terminal."""
    out = sys.stdout

    def say_aloud(text: str) -> None:
        """Print to the original stdout, on the main process."""
        if is_main():
            print(shown(text), file=out, flush=True)

    with redirect_stdout(io.StringIO()):
        yield say_aloud


def shows_bars() -> bool:
    """Return whether progress bars go to something that can redraw them: a terminal, a notebook."""
    # here, since messages about a recipe are printed without transformers, which takes seconds
    from transformers.utils import is_in_notebook

    return is_main() and (sys.stderr.isatty() or is_in_notebook())
