"""Writing to disk: what goes wrong becomes one clear message."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.core.disk import write_failure
from pipelines.core.errors import RunError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into one clear message.

    Raises:
        RunError: something below `path` cannot be written; gives the reason.
    """
    try:
        yield
    except OSError as error:
        # mkdir may fail at a parent folder: the error names it
        location = error.filename or path
        raise RunError(f"{location}: cannot be written ({error.strerror or error})") from None
    except Exception as error:  # of safetensors or torch
        reason = write_failure(error)
        if reason is None:
            raise
        raise RunError(f"{path}: cannot be written ({reason})") from None


def require_new(folder: Path, option: str) -> None:
    """Refuse a folder that holds something.

    Args:
        option: of the command line, that names the folder.

    Raises:
        RunError: it is there, and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: holds something already; name a new folder: {option} FOLDER")
