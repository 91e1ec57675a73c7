"""Which unfinished run to go on with, and what it had resolved already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import is_zipfile

from pipelines.core import cache
from pipelines.core.console import say
from pipelines.core.errors import Interrupted, RunError
from pipelines.recipe import Recipe, load
from pipelines.report import strict_json
from pipelines.report.run_folder import RunFolder

# of `training:`, which the run may have chosen
LENGTH_KEYS = {"num_train_epochs", "max_steps", "eval_strategy", "eval_steps"}


@dataclass(frozen=True)
class Resumed:
    """An unfinished run that training continues.

    Attributes:
        requested: the recipe's `training.resume_from_checkpoint`: true, or a path.
    """

    folder: RunFolder
    requested: bool | str

    @classmethod
    def of(cls, recipe: Recipe) -> Self | None:
        """Find the run that `training.resume_from_checkpoint` means; true is the latest unfinished.

        Raises:
            RunError: there is nothing to resume, or a file of the checkpoint is damaged.
        """
        requested = recipe.training.get("resume_from_checkpoint")
        if not requested:
            return None
        if requested is True:
            run = RunFolder.latest_resumable(runs_folder(recipe), recipe.name)
        else:
            run = RunFolder.resumable(requested)
        if run.whole.staged_recipe.is_file():
            raise RunError(f"{run}: was run from a recipe with stages; resume it with that recipe")
        return cls.in_folder(run, requested if requested is True else str(requested))

    @classmethod
    def in_folder(cls, run: RunFolder, requested: bool | str = True) -> Self:
        """Take this unfinished run.

        Raises:
            RunError: a file of the checkpoint is damaged.
        """
        resumed = cls(run, requested)
        if resumed.checkpoint:
            _refuse_damaged(resumed.checkpoint)
        else:
            say(f"{run}: it was stopped before its first checkpoint, and begins anew{_cached()}")
        return resumed

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to load, if there is one."""
        return self.folder.checkpoint_at(str(self.requested))

    def apply(self, recipe: Recipe) -> Recipe:
        """Keep what `auto` chose before: the weights of another strategy would not fit."""
        if recipe.strategy.name != "auto" or not self.checkpoint:
            return recipe
        # recipe.yaml of a run folder is the resolved recipe
        before = load(self.folder.recipe)
        length = {key: before.training[key] for key in before.training.keys() & LENGTH_KEYS}
        return recipe.replace(
            strategy=before.strategy,
            averaging=before.averaging,
            early_stopping=before.early_stopping,
            training={**length, **recipe.training},
        )

    @property
    def reason(self) -> str:
        """Why `auto` chose the strategy when the run began; empty without a choice.

        Raises:
            RunError: the lock is missing or damaged.
        """
        if not self.checkpoint:  # it may have been stopped before it had a lock
            return ""
        lock = strict_json.read(self.folder.lock, "start the run anew")
        choice = lock.get("auto")
        return str(choice.get("reason", "")) if isinstance(choice, dict) else ""


def runs_folder(recipe: Recipe) -> str:
    """Return the folder of all runs."""
    return recipe.training.get("output_dir") or "runs"


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
        if not stop.has_checkpoint:
            raise
        raise Interrupted(f"{stop}; {resume}", has_checkpoint=False) from None
    except KeyboardInterrupt as stop:
        advice = f"to go on, run the same recipe again{_cached()}"
        if folder and folder.done:
            advice = f"{folder} is done, and the model is saved"
        elif folder and folder.is_begun:
            advice = resume
        message = f"{str(stop) or 'interrupted'}; {advice}"
        raise Interrupted(message, has_checkpoint=False) from None


def _cached() -> str:
    """Say what is not computed again; empty where nothing is kept."""
    what = "finished passes over the data and finished folds are kept"
    return f": {what}" if cache.is_writable() else ""


def _refuse_damaged(checkpoint: Path) -> None:
    """Open every file of a checkpoint: a full disk or a copy that broke off cuts files short.

    Raises:
        RunError: names the file, and what to do without it.
    """
    remedy = "resume from an older checkpoint of the run, if there is one, or start it anew"
    for file in sorted(checkpoint.rglob("*")):
        if file.suffix == ".json":
            strict_json.read(file, remedy)
        elif file.suffix == ".safetensors":
            _open_tensors(file, remedy)
        # what torch saves is a zip archive, whose table of contents stands at its end
        elif file.suffix in {".bin", ".pt", ".pth"} and not is_zipfile(file):
            raise RunError(f"{file}: damaged: cut short or not written by torch; {remedy}")


def _open_tensors(file: Path, remedy: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        # its header states where each tensor ends, which is compared with the size of the file
        with safe_open(file, "numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise RunError(f"{file}: damaged: {error}; {remedy}") from None
