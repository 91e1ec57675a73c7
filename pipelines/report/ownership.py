"""One owner of a run folder: of all processes that could write into it, one does.

The lock is one of the kernel (POSIX, over NFS too), held by one process and gone with it, however
it ends; workers that it forks hold none. `owner.json`, the locked file, says whose it is.
"""

import errno
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.report.run_folder import RunFolder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_BYTES = 1000  # of owner.json, which anyone may have written
# folder -> the thread of this process that owns it: POSIX locks do not keep a process itself out
_owned: dict[Path, int] = {}


@contextmanager
def owning(folder: RunFolder) -> Iterator[None]:
    """Keep other processes out of a run folder inside the block.

    The main process of a run locks for all of them. A stage belongs to the owner of the whole run.
    Where the file system has no locks, a line says so, and the run goes on.

    Raises:
        RunError: another process is at work in the folder; raised on all processes of the run.
    """
    path = folder.whole.path.resolve()
    # as the main one has it: on a machine that does not see the folder, it is one of another name
    if processes.from_main(lambda: _is_owned(path, folder)):
        yield
        return
    lock = _Lock(folder.whole)
    processes.from_main(lock.acquire)
    _owned[path] = threading.get_ident()
    try:
        yield
    finally:
        del _owned[path]
        lock.release()


def _is_owned(path: Path, folder: RunFolder) -> bool:
    """Return whether this thread owns a folder.

    Raises:
        RunError: another thread of this process does.
    """
    owner = _owned.get(path, threading.get_ident())
    if owner != threading.get_ident():
        raise RunError(
            f"{folder.whole}: is still training, in another thread; wait until it is done"
        )
    return path in _owned


class _Lock:
    """A lock on `owner.json`, which exists as long as the lock is held."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.file = folder, folder.owner
        self.descriptor: int | None = None

    def acquire(self) -> None:
        """Lock, and write whose it is.

        Raises:
            RunError: another process holds it.
        """
        if not fcntl:
            return
        try:
            self.descriptor = self._locked()
        except OSError as error:
            reason = error.strerror or str(error)
            say(
                f"note: {self.folder} cannot be locked ({reason}): nothing keeps a second run out "
                "of it"
            )

    def release(self) -> None:
        """Remove the file, then the lock: whoever comes between finds that it is gone."""
        if self.descriptor is None:
            return
        is_same = _leads_to(self.descriptor, self.file)  # code of others may have closed it
        with suppress(OSError):
            self.file.unlink()
        if is_same:
            os.close(self.descriptor)
        self.descriptor = None

    def _locked(self) -> int:
        """Open the file and lock it."""
        # a link would lead the writing below out of the folder
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.file, flags, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            content = os.read(descriptor, MAX_BYTES)
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise RunError(self._refusal(content)) from None
            self.file.unlink(missing_ok=True)
            raise
        if not os.fstat(descriptor).st_nlink:  # its owner removed it between the two
            os.close(descriptor)
            return self._locked()
        with suppress(OSError):  # of a full disk; the lock holds without it
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(_this_process()).encode())
        return descriptor

    def _refusal(self, content: bytes) -> str:
        return (
            f"{self.folder}: is still training{_owner(content)}; wait until it is done, or stop it "
            "and resume then"
        )


def _leads_to(descriptor: int, file: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    return False


def _this_process() -> dict[str, str | int]:
    started = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started}


def _owner(content: bytes) -> str:
    """Describe the process that owns a folder, as far as it has said."""
    try:
        owner = json.loads(content)
        pid, host, started = (str(owner[key]) for key in ("pid", "host", "started"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ", in another process"
    text = f" (process {pid} on {host}, since {started})"
    return "".join(letter for letter in text if letter.isprintable())
