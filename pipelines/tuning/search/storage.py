"""Where the trials of a search lie: a journal file, or a database that SQLAlchemy can open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from pipelines.core.errors import RunError
from pipelines.report.writing import writing

EXPECTED = "expected a file, or a database such as postgresql://host/name"
# a connection that was idle for the length of a trial may be gone
ENGINE = {"pool_pre_ping": True}
LINE_START = b'{"op_code":'  # of a journal


def shown(place: str) -> str:
    """Return a storage as it may be printed: without the password."""
    if "://" not in place:
        return place
    try:
        return make_url(place).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return f"{place.partition('://')[0]}://…"


def open_storage(place: str) -> BaseStorage:
    """Open the storage of a study, and make it if there is none.

    Args:
        place: a file, or the URL of a database.

    Raises:
        RunError: it cannot be opened; says why.
    """
    with storing(place):
        if "://" not in place:
            return _journal(place)
        try:
            return RDBStorage(place, engine_kwargs=ENGINE)
        except ImportError as error:
            cause = error.__cause__ or error
            missing = getattr(cause, "name", None) or str(cause)
            raise RunError(
                f"--storage {shown(place)}: needs the package {missing}, which is not installed"
            ) from None


def _journal(place: str) -> BaseStorage:
    """Open a journal file, or make one.

    Raises:
        RunError: the file is none; it stays as it is.
    """
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileSymlinkLock(place)
    try:
        lock.acquire()  # nobody writes to it now
        try:
            _drop_half_a_line(Path(place))
        finally:
            lock.release()
        return JournalStorage(JournalFileBackend(place, lock))
    except (ValueError, KeyError, TypeError) as error:  # lines that are no JSON, or other JSON
        raise RunError(
            f"{place}: no journal of a search, or a damaged one ({error}); remove it, or name "
            "another file with --storage"
        ) from None


def _drop_half_a_line(file: Path) -> None:
    """Drop what a worker was writing when it was killed: the next line would be added to it.

    Raises:
        ValueError: the last line is none of a journal.
    """
    if not file.is_file():
        return
    with file.open("rb+") as opened:
        content = opened.read()
        end = content.rfind(b"\n") + 1
        if not LINE_START.startswith(content[end : end + len(LINE_START)]):
            raise ValueError("its last line")
        opened.truncate(end)


@contextmanager
def storing(place: str) -> Iterator[None]:
    """Turn what a storage raises into one message, without a password.

    Raises:
        RunError: the storage cannot be read or written.
    """
    try:
        with writing(Path(place)):
            yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        # of the driver's own message the first line: the rest is SQL, or a link
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise RunError(f"--storage {shown(place)}: {reason}; {EXPECTED}") from None
