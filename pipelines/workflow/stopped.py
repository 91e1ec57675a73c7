"""What is left of a run that was stopped, or had no room, and how it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.core import cache_folder, stopping
from pipelines.core.disk import write_failure
from pipelines.core.errors import Interrupted, RunError
from pipelines.report.run_folder import RunFolder


@contextmanager
def advising(folder: RunFolder | None = None) -> Iterator[None]:
    """Say how a run goes on that is stopped inside the block.

    Args:
        folder: of the run, once it has one.

    Raises:
        Interrupted: the block was interrupted.
    """
    resume = "to go on, run the same recipe with training.resume_from_checkpoint=true"
    folder = folder and folder.whole
    try:
        yield
    except Interrupted as stop:
        stopping.ignore()  # another Ctrl-C would take the place of this message
        if not stop.has_checkpoint:
            raise
        raise Interrupted(f"{stop}; {resume}", has_checkpoint=False) from None
    except KeyboardInterrupt as stop:
        stopping.ignore()
        advice = f"to go on, run it again{kept_passes()}"
        if folder and folder.done:
            advice = f"{folder} is done, and the model is saved"
        elif folder and folder.is_begun:
            advice = resume
        message = f"{str(stop) or 'interrupted'}; {advice}"
        raise Interrupted(message, has_checkpoint=False) from None


@contextmanager
def explaining_full_disk(folder: RunFolder) -> Iterator[None]:
    """Say what is left of a run for whose checkpoints or results there is no room.

    The same for one whose files somebody has removed, or forbidden, under way.

    Raises:
        RunError: something could not be written inside the block.
    """
    try:
        yield
    except Exception as error:
        full, lost = write_failure(error), _failure_inside(folder, error)
        if full is None and lost is None:
            raise
        remedy = "make room" if full else "put it back, or leave it alone"
        advice = f"{remedy}, and run it again{kept_passes()}"
        if folder.checkpoint:
            advice = (
                f"{folder.checkpoint.name} is whole: {remedy}, and run the same recipe with "
                "training.resume_from_checkpoint=true"
            )
        problem = f"cannot be written ({full})" if full else f"cannot be used any more ({lost})"
        raise RunError(f"{folder}: {problem}; {advice}") from None


def _failure_inside(folder: RunFolder, error: Exception) -> str | None:
    """Return what the system refused of a file in the run folder; None for another error."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str):
        return None
    is_inside = Path(error.filename).absolute().is_relative_to(folder.path.absolute())
    return f"{error.filename}: {error.strerror}" if is_inside else None


def kept_passes() -> str:
    """Say what is not computed again; empty where nothing is kept."""
    return ": finished passes are kept, and finished folds" if cache_folder.is_writable() else ""
