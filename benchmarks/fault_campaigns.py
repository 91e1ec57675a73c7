"""What disturbs a job, and how it goes on."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import isolated
from fault_attempt import ALL, SECONDS, Attempt, LostError
from isolated import Limits

SIGNALS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)
MAX_DISTURBANCES = 4  # then the job may finish
SETTLING_SECONDS = 0.02


def kill(attempt: Attempt) -> None:
    """Send signals at random moments, of time or of what was written; then let it finish.

    Raises:
        LostError: a signal leaves a traceback or no message, or the job does not go on.
    """
    attempt.begin()
    for _ in range(attempt.random.randint(1, MAX_DISTURBANCES)):
        number = attempt.random.choice(SIGNALS)
        child = attempt.start(attempt.next_arguments())
        try:
            code = _signaled(attempt, child, number)
        finally:
            isolated.end(child)
        attempt.events.append(number.name)
        attempt.note(code)
        if attempt.job.result(attempt.place) is not None:
            break
        if code not in (0, 130, 2, -signal.SIGKILL):
            raise LostError(f"{number.name}: {code}: {isolated.printed(attempt.log)[-1500:]}")
    attempt.finish()


def _signaled(attempt: Attempt, child: int, number: signal.Signals) -> int | None:
    """Send a signal after a while, or once something new is written; return the exit code."""
    # before the command line has taken signals over, they end Python in its own ways
    _until(child, attempt.log.exists, SECONDS)
    time.sleep(SETTLING_SECONDS)
    if attempt.random.random() < 0.5:
        code = isolated.wait(child, attempt.random.uniform(0, 1.1 * attempt.seconds))
    else:
        num_changes = attempt.random.randint(1, 60)
        code = _until(child, lambda: _num_files(attempt.place) >= num_changes, attempt.seconds)
    if code is not isolated.NOT_FINISHED:
        return code
    with suppress(ProcessLookupError):
        os.kill(child, number)
    return isolated.wait(child, SECONDS)


def _until(child: int, is_true: Callable[[], bool], seconds: float) -> int | None:
    """Wait until something is true, or the child ends, or it takes longer than usual."""
    end = time.monotonic() + 2 * seconds
    while time.monotonic() < end and not is_true():
        code = isolated.wait(child, 0.002)
        if code is not isolated.NOT_FINISHED:
            return code
    return isolated.NOT_FINISHED


def _num_files(folder: Path) -> int:
    try:
        return sum(len(files) for _, _, files in os.walk(folder))
    except OSError:
        return 0


def fill_disk(attempt: Attempt) -> None:
    """Run on a disk that is too small, then on one that has room.

    Where nothing may be mounted, no file may be larger than a few bytes instead.

    Raises:
        LostError: a full disk ends in anything but a message, or the job does not go on.
    """
    attempt.place.mkdir()
    size = attempt.random.choice((4, 16, 64, 128, 256, 512, 1024, 2048))  # KiB
    is_mounted = _mount(attempt.place, size)
    attempt.events.append(f"{size} KiB, {'tmpfs' if is_mounted else 'RLIMIT_FSIZE'}")
    limits = ALL if is_mounted else Limits(seconds=SECONDS, gigabytes=None, file_bytes=size * 1024)
    try:
        attempt.begin()
        code = attempt.call(attempt.next_arguments(), limits)
        if code not in (0, 2):
            raise LostError(f"{code}: {isolated.printed(attempt.log)[-1500:]}")
        if is_mounted:
            _mount(attempt.place, 1 << 20, "remount,")
        attempt.finish()
    finally:
        if is_mounted:
            # what it holds is looked at when it is gone
            subprocess.run(["cp", "-r", attempt.place, attempt.folder / "copy"], check=False)
            subprocess.run(["umount", attempt.place], check=True)
            attempt.place.rmdir()
            with suppress(FileNotFoundError):
                (attempt.folder / "copy").rename(attempt.place)


def _mount(folder: Path, kibibytes: int, option: str = "") -> bool:
    """Mount a file system of a size; returns whether that could be done."""
    options = f"{option}size={kibibytes}k"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


def limit_memory(attempt: Attempt) -> None:
    """Run with little memory, then with all of it.

    A process may be ended by the limit, as it may be by the system when memory is short; it may
    not end in a traceback.

    Raises:
        LostError: it ends in a traceback, or the job does not go on.
    """
    attempt.begin()
    gigabytes = attempt.random.choice((0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0))
    attempt.events.append(f"{gigabytes} GB")
    attempt.call(attempt.next_arguments(), Limits(seconds=SECONDS, gigabytes=gigabytes))
    attempt.finish()


def resume_twice(attempt: Attempt) -> None:
    """Stop a run, and resume it by two processes at once: one goes on, or is refused.

    Raises:
        LostError: both go on, none does, or one ends in anything but success and a message.
    """
    attempt.begin()
    if attempt.job.command == "run":
        child = attempt.start(attempt.job.arguments)
        glob = "runs/recipe/*/checkpoints/checkpoint-*/trainer_state.json"
        _until(child, lambda: any(attempt.place.glob(glob)), attempt.seconds)
        isolated.end(child)
        attempt.events.append("SIGKILL")
    call = isolated.graft(attempt.next_arguments(), attempt.place)
    logs = [attempt.folder / f"log{number}" for number in range(2)]
    children = []
    for log in logs:
        children.append(isolated.start(call, log, ALL))
        time.sleep(attempt.random.choice((0, 0, 0.01, 0.3, 1)))
    codes = []
    for child, log in zip(children, logs, strict=True):
        codes.append(isolated.wait(child, SECONDS))
        isolated.end(child)
        log.replace(attempt.log)
        attempt.note(codes[-1])
    is_done = attempt.job.result(attempt.place) is not None  # before it was stopped, or by one
    if not is_done or set(codes) - {0, 2}:
        raise LostError(f"exit codes {codes}")
    attempt.finish()
