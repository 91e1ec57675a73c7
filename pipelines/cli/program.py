"""What starts as a program: Ctrl-C is one message from its first import on.

To import this module is to be that program; `pipelines.cli.main` is for everybody else.
"""

import os
import signal


def _leave(number: int, _: object) -> None:
    """End by the signal itself, of which a shell makes exit code 130; Python would print where."""
    signal.signal(number, signal.SIG_DFL)
    if os.environ.get("RANK", "0") == "0":  # of several processes only the main one speaks
        os.write(2, b"interrupted\n")
    os.kill(os.getpid(), number)


signal.signal(signal.SIGINT, _leave)

from pipelines.cli import main  # noqa: E402

__all__ = ["main"]
