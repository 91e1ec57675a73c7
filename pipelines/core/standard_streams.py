"""Standard output and standard error, which code of others may close or replace."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipelines.core.errors import GraftError, Interrupted, StreamError

DESCRIPTORS = {"stdout": 1, "stderr": 2}


def open_missing() -> None:
    """Open what a command was started without (`>&-`), to write to nowhere.

    Else Python has None for it, and the next file that is opened takes its place: what a library in
    C prints would go there.
    """
    for name, descriptor in DESCRIPTORS.items():
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            setattr(sys, name, _reopened(descriptor))


@contextmanager
def restored() -> Iterator[None]:
    """Put both streams back after the block as they were before it.

    One that was replaced is not missed. One that was closed is, by whatever holds it: a logger,
    say. Another one takes its place for what there is to say.

    Raises:
        StreamError: the block has closed one; an error that came of it is its cause.
    """
    before = {name: getattr(sys, name) for name in DESCRIPTORS}
    copies = {number: _copy(number) for number in DESCRIPTORS.values()}
    try:
        yield
    except (GraftError, Interrupted, BrokenPipeError):  # these say enough
        _restore(before, copies)
        raise
    except Exception as error:
        if closed := _restore(before, copies):
            raise _refusal(closed) from error
        raise
    except BaseException:
        _restore(before, copies)
        raise
    if closed := _restore(before, copies):
        raise _refusal(closed)


def _restore(before: dict[str, Any], copies: dict[int, int | None]) -> list[str]:
    """Put streams and descriptors back; return the names of the streams that are closed."""
    closed = []
    for name, descriptor in DESCRIPTORS.items():
        copy = copies[descriptor]
        if copy is not None:
            if not _is_same(copy, descriptor):
                os.dup2(copy, descriptor)
            os.close(copy)
        setattr(sys, name, before[name])
        if _is_closed(before[name]):
            setattr(sys, name, _reopened(descriptor))
            closed.append(f"sys.{name}")
    return closed


def _refusal(closed: list[str]) -> StreamError:
    return StreamError(f"code that it runs closes {' and '.join(closed)}; take that out")


def _copy(descriptor: int) -> int | None:
    """Open a second descriptor of what one leads to; None if it leads nowhere."""
    with suppress(OSError):
        return os.dup(descriptor)
    return None


def _is_same(copy: int, descriptor: int) -> bool:
    """Return whether a descriptor leads to the same as its copy still."""
    with suppress(OSError):
        return os.path.sameopenfile(copy, descriptor)
    return False


def _is_closed(stream: Any) -> bool:
    try:
        return bool(getattr(stream, "closed", False))
    except ValueError:  # without its buffer
        return True


def _reopened(descriptor: int) -> Any:
    """Open another stream for a descriptor, which stays open after it."""
    return open(descriptor, "w", errors="backslashreplace", buffering=1, closefd=False)
