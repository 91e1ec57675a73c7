"""A call in a process of its own, forked from this one, with limits on time, memory and files.

    begin(folder)                       an environment without a network; import the libraries once
    Limits(seconds=60, gigabytes=4)     what a call may use
    outcome = call(function, log)       its exit code, or why there is none, and what it printed

The child inherits the libraries that this process has imported: a call of the command line takes a
fraction of a second instead of ten.
"""

import atexit
import gc
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import warm_python  # noqa: E402  (found by the line above)

NOT_FINISHED = None  # the exit code of a call that ran out of time
KEPT_BYTES = 200_000  # of what a call printed


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    Attributes:
        gigabytes: of address space, beyond what this process has.
        file_bytes: of the largest file; None: no limit.
    """

    seconds: float = 60
    gigabytes: float | None = 6
    file_bytes: int | None = None

    def apply(self) -> None:
        """Set them for this process."""
        if self.gigabytes is not None:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            size = pages * resource.getpagesize() + int(self.gigabytes * 1e9)
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
        if self.file_bytes is not None:
            # Python takes a module that it could not write whole for compiled
            sys.dont_write_bytecode = True
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        code: of its exit; the negative number of the signal that ended it; None: out of time.
        text: what it printed, errors among it.
    """

    code: int | None
    text: str
    seconds: float


def begin(folder: Path) -> None:
    """Import the libraries, and cut this process and its children off from the network."""
    for name in ("HF_TOKEN", "HF_ENDPOINT", "RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    os.environ |= {
        "HF_HOME": str(folder / "hf"),
        "GRAFT_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": "1",  # a fork has no threads of a pool that its parent started
        "TOKENIZERS_PARALLELISM": "false",
    }
    for name in (*warm_python.TORCH, *warm_python.TRANSFORMERS):
        __import__(name)
    import pipelines.workflow.session  # noqa: F401  (every room below it)
    from pipelines.core import registry

    for package in ("commands", "strategies", "tasks", "sources"):
        for name in registry.names(package):
            registry.find(package, name)
    gc.freeze()  # or each child copies the pages of a million objects to count references
    atexit.register(gc.unfreeze)  # triton takes what is never collected for a leak, and says so


def start(function: Callable[[], int], log: Path, limits: Limits = Limits()) -> int:
    """Fork, and call `function` in the child; return the child's process id.

    The child leads a group of its own, prints to `log`, and exits with what the function returns.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    log.unlink(missing_ok=True)  # it is there again once the child has begun
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        descriptor = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        limits.apply()
        code = function()
        for number in (signal.SIGINT, signal.SIGTERM):  # all is done
            signal.signal(number, signal.SIG_IGN)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):  # the log may be what the limit is about
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float) -> int | None:
    """Return the child's exit code, negative for a signal; None if it does not end in time."""
    descriptor = os.pidfd_open(child)
    try:
        if not select.select([descriptor], [], [], max(0.0, seconds))[0]:
            return NOT_FINISHED
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def end(child: int) -> None:
    """Kill a child and whatever it started; one that has ended already is left alone."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def call(function: Callable[[], int], log: Path, limits: Limits = Limits()) -> Outcome:
    """Call `function` in a child within its limits."""
    started = time.monotonic()
    child = start(function, log, limits)
    code = wait(child, limits.seconds)
    end(child)  # workers of a child that was killed live on
    return Outcome(code, printed(log), time.monotonic() - started)


def printed(log: Path) -> str:
    """Read the end of what a call has printed so far."""
    return log.read_bytes()[-KEPT_BYTES:].decode("utf-8", "replace") if log.exists() else ""


def graft(arguments: Sequence[str], folder: Path) -> Callable[[], int]:
    """Return a call of the command line in `folder`."""

    def run() -> int:
        os.chdir(folder)
        from pipelines.cli import main

        return main(list(arguments))

    return run
