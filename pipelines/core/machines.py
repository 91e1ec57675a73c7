"""Machines of a run that share no disk: what the main process has written, the others get sent."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.core import processes
from pipelines.core.errors import RunError

MAX_PIECE = 2**28  # bytes of a file that are sent at once


@contextmanager
def visible(folder: Path, without: str = "") -> Iterator[Path]:
    """Give every process a folder of the main one: itself, or a copy where the disk is another.

    The copy is the machine's own, and goes away with all that was written to it.

    Args:
        without: a file that is not copied, such as one that is locked: to close it would end a
            lock of this process.

    Raises:
        OSError: the folder cannot be read, or there is no room for a copy.
    """
    missing = _machines_without(folder)
    if not missing:
        yield folder
        return
    machine = processes.machine_name()
    is_copied = machine in missing and processes.is_first_of_machine()
    copy = Path(tempfile.mkdtemp(prefix="graft-")) if is_copied else None
    try:
        _send(folder, copy, without)
        # the processes of a machine have one copy
        copies = {name: place for name, place in processes.gather((machine, copy)) if place}
        yield copies.get(machine, folder)
    finally:
        if copy:
            shutil.rmtree(copy, ignore_errors=True)


def require_shared(folder: Path, what: str) -> None:
    """Refuse machines that do not see a folder of the main one.

    Args:
        what: needs it, for the message.

    Raises:
        RunError: names the machines; raised on every process.
    """
    if missing := _machines_without(folder):
        raise RunError(
            f"{folder}: is not seen by {', '.join(sorted(missing))}; {what} goes through the run "
            "folder: set training.output_dir to a folder that all machines share"
        )


def _machines_without(folder: Path) -> set[str]:
    """Name the machines that do not see a folder of the main process."""
    if processes.num_machines() == 1:
        return set()
    # by a file that was just written: another folder may have the same name
    token = processes.from_main(lambda: _write_token(folder))
    answers = processes.gather((processes.machine_name(), (folder / token).is_file()))
    if processes.is_main():
        (folder / token).unlink(missing_ok=True)
    return {machine for machine, is_seen in answers if not is_seen}


def _write_token(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    name = f".{uuid.uuid4().hex}"
    (folder / name).touch()
    return name


def _send(folder: Path, copy: Path | None, without: str) -> None:
    """Send all files of a folder of the main process, piece by piece; write them below `copy`."""
    names = processes.from_main(
        lambda: [f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*")) if f.is_file()]
    )
    for name in names:
        if name == without:
            continue
        if copy:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).touch()
        piece, start = _piece(folder / name, 0), 0
        while piece:
            if copy:
                with (copy / name).open("ab") as file:
                    file.write(piece)
            start += len(piece)
            piece = _piece(folder / name, start)


def _piece(file: Path, start: int) -> bytes:
    """Read bytes of a file of the main process."""

    def read() -> bytes:
        with file.open("rb") as opened:
            opened.seek(start)
            return opened.read(MAX_PIECE)

    return processes.from_main(read)
