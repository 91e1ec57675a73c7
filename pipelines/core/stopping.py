"""Ctrl-C and SIGTERM, wherever a command is.

Both raise KeyboardInterrupt, which no `except Exception` swallows on its way to the one message
that the command line prints. Training finishes its step first (training/callbacks.py).
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipelines.core.upstream import exit_at_once

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_TO_RETRY = 0.05  # after an exception was dropped, until it is raised again
_reason = ""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: from a scheduler what Ctrl-C is from a keyboard."""


@contextmanager
def handling(action: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `action` on Ctrl-C and SIGTERM inside the block, in the main thread of this process.

    Workers that are forked inside it leave Ctrl-C, which a terminal sends to all of them, to this
    process, and end on SIGTERM, by which it ends them.
    """
    global _reason
    owner, _reason = os.getpid(), ""

    def handle(number: int, _: Any) -> None:
        if os.getpid() == owner:
            action(signal.Signals(number))
        elif number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    handlers_before: dict[int, Any] = {}
    hook_before = sys.unraisablehook
    if threading.current_thread() is threading.main_thread():  # no other one gets signals
        handlers_before = {number: signal.signal(number, handle) for number in SIGNALS}
        sys.unraisablehook = _raising_again(handle, hook_before)
    try:
        yield
    finally:
        if handlers_before:
            sys.unraisablehook = hook_before
        for number, before in handlers_before.items():
            signal.signal(number, before)


def _raising_again(
    handle: Callable[[int, Any], None], other: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Return a hook for exceptions that Python drops, which raises those of signals once more.

    Python prints and drops what is raised while it frees an object (`__del__`): nothing would stop.

    Args:
        handle: the handler of both signals.
        other: the hook for all other exceptions.
    """

    def hook(dropped: Any) -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            other(dropped)
            return
        is_term = isinstance(dropped.exc_value, Terminated)
        number = signal.SIGTERM if is_term else signal.SIGINT
        signal.signal(number, handle)  # `interrupt` ignores a second one

        def send() -> None:
            if signal.getsignal(number) is handle:  # else the command is done
                os.kill(os.getpid(), number)

        retry = threading.Timer(SECONDS_TO_RETRY, send)
        retry.daemon = True
        retry.start()

    return hook


def interrupt(number: signal.Signals) -> None:
    """Stop whatever is under way.

    Raises:
        KeyboardInterrupt: always; Terminated on SIGTERM.
    """
    global _reason
    if number == signal.SIGTERM:
        # it comes twice where a scheduler and a launcher both pass it on
        signal.signal(number, signal.SIG_IGN)
        _reason = f"stopped by {number.name}"
        raise Terminated(_reason)
    _reason = "interrupted"
    raise KeyboardInterrupt(_reason)


def interrupted_by() -> str:
    """Return what has stopped the command inside the last `handling`; empty if nothing has.

    A library in C may raise an error of its own in the place of KeyboardInterrupt.
    """
    return _reason


def leave(number: signal.Signals) -> None:
    """End the process at once, with the message and the exit code of `interrupt`.

    For the seconds in which modules are imported: Python prints and drops an exception that comes
    while it locks or frees a module, and there is nothing yet to put in order.
    """
    reason = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    cursor = "\r\x1b[K\x1b[?25h" * os.isatty(2)  # which a spinner has hidden
    if os.environ.get("RANK", "0") == "0":  # of several processes only the main one speaks
        with suppress(OSError):  # there may be no terminal any more
            os.write(2, f"{cursor}{reason}\n".encode())
    exit_at_once(130)


def ignore() -> None:
    """Ignore both until the `handling` around this ends, while a last message is written."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        # without `handling` nothing would bring them back
        if getattr(signal.getsignal(number), "__module__", "") == __name__:
            signal.signal(number, signal.SIG_IGN)
