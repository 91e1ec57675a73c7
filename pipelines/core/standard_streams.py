"""Standard output and standard error, which code of others may close or replace."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pipelines.core.errors import GraftError, Interrupted, StreamError

DESCRIPTORS = {"stdout": 1, "stderr": 2}
STDIN = 0  # nothing reads it after code of others has run, but a file would get its number


def open_missing() -> None:
    """Open what a command was started without (`>&-`), to write to nowhere.

    Else Python has None for it, and the next file that is opened takes its place: what a library in
    C prints would go there.
    """
    for name, descriptor in DESCRIPTORS.items():
        if getattr(sys, name) is None:
            _lead_nowhere(descriptor)
            setattr(sys, name, _reopened(descriptor))


@contextmanager
def restored() -> Iterator[None]:
    """Put both streams, and all three descriptors, back after the block as they were before it.

    One that was replaced is not missed. One that was closed is, by whatever holds it: a logger,
    say. Another one takes its place for what there is to say.

    Raises:
        StreamError: the block has closed one; an error that came of it is its cause.
    """
    before = {name: getattr(sys, name) for name in DESCRIPTORS}
    copies = [_Copy.of(number) for number in (STDIN, *DESCRIPTORS.values())]
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


@dataclass(frozen=True)
class _Copy:
    """A second descriptor of what one leads to, which may be closed as well.

    Attributes:
        file: what both lead to; None where the first one led nowhere.
    """

    descriptor: int
    number: int = -1
    file: os.stat_result | None = None

    @classmethod
    def of(cls, descriptor: int) -> "_Copy":
        with suppress(OSError):
            return cls(descriptor, os.dup(descriptor), os.fstat(descriptor))
        return cls(descriptor)

    def put_back(self) -> None:
        """Let the first descriptor lead to the same as before, or nowhere if nothing does."""
        if self._is_same(self.number):
            if not self._is_same(self.descriptor):
                os.dup2(self.number, self.descriptor)
            os.close(self.number)
        elif self.file and not _is_open(self.descriptor):
            _lead_nowhere(self.descriptor)

    def _is_same(self, descriptor: int) -> bool:
        with suppress(OSError):
            return self.file is not None and os.path.samestat(os.fstat(descriptor), self.file)
        return False


def _restore(before: dict[str, Any], copies: list[_Copy]) -> list[str]:
    """Put streams and descriptors back; return the names of the streams that are closed."""
    for copy in copies:
        copy.put_back()
    closed = []
    for name, descriptor in DESCRIPTORS.items():
        setattr(sys, name, before[name])
        if _is_closed(before[name]):
            setattr(sys, name, _reopened(descriptor))
            closed.append(f"sys.{name}")
    return closed


def _refusal(closed: list[str]) -> StreamError:
    return StreamError(f"code that it runs closes {' and '.join(closed)}; take that out")


def _is_open(descriptor: int) -> bool:
    with suppress(OSError):
        return bool(os.fstat(descriptor))
    return False


def _lead_nowhere(descriptor: int) -> None:
    """Open a descriptor that is closed: what is written to it is lost."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _is_closed(stream: Any) -> bool:
    try:
        return bool(getattr(stream, "closed", False))
    except ValueError:  # without its buffer
        return True


def _reopened(descriptor: int) -> Any:
    """Open another stream for a descriptor, which stays open after it."""
    return open(descriptor, "w", errors="backslashreplace", buffering=1, closefd=False)
