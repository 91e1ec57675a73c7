"""What is left of a run that was stopped, or had no room, and how it goes on."""

from collections.abc import Iterator
from contextlib import contextmanager

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

    Raises:
        RunError: something could not be written inside the block.
    """
    try:
        yield
    except Exception as error:
        reason = write_failure(error)
        if reason is None:
            raise
        advice = f"make room, and run it again{kept_passes()}"
        if folder.checkpoint:
            advice = (
                f"{folder.checkpoint.name} is whole: make room, and run the same recipe with "
                "training.resume_from_checkpoint=true"
            )
        raise RunError(f"{folder}: cannot be written ({reason}); {advice}") from None


def kept_passes() -> str:
    """Say what is not computed again; empty where nothing is kept."""
    return ": finished passes are kept, and finished folds" if cache_folder.is_writable() else ""
