"""Which unfinished run to go on with, and what it had resolved already."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from zipfile import is_zipfile

from pipelines.core import cache, processes, stopping
from pipelines.core.console import say
from pipelines.core.disk import write_failure
from pipelines.core.errors import Interrupted, RunError
from pipelines.core.sharding import NAMES, saved_sharding, sharding_key
from pipelines.recipe import Recipe
from pipelines.recipe.differences import Difference
from pipelines.report import requested, strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import step_size
from pipelines.workflow.continuation import changes_since, check, choose, is_free

# of `training:`, which the run may have chosen
LENGTH_KEYS = {"num_train_epochs", "max_steps", "eval_strategy", "eval_steps"}


@dataclass(frozen=True)
class Resumed:
    """An unfinished run that training continues.

    Attributes:
        requested: the recipe's `training.resume_from_checkpoint`: true, or a path.
        changes: what the recipe has changed since the run began, as it may.
    """

    folder: RunFolder
    requested: bool | str
    changes: tuple[Difference, ...] = ()

    @classmethod
    def of(cls, recipe: Recipe) -> Self | None:
        """Find the run that `training.resume_from_checkpoint` means; true is the latest unfinished.

        Raises:
            RunError: there is nothing to resume, or the run was begun with another recipe.
        """
        place = recipe.training.get("resume_from_checkpoint")
        if not place:
            return None
        if place is True:
            runs = RunFolder.unfinished(runs_folder(recipe), recipe.name)
        else:
            runs = [RunFolder.resumable(place)]
        run, changes = choose(runs, lambda run: _check(run, recipe))
        return cls(run, place if place is True else str(place), changes)

    @classmethod
    def in_folder(cls, run: RunFolder, recipe: Recipe, requested: bool | str) -> Self:
        """Take a stage, whose recipe was compared already, and say so.

        Raises:
            RunError: a file of the checkpoint is damaged.
        """
        changes = changes_since(run, recipe)
        shown = (each for each in changes if is_free(each.key) or each.key in step_size.KEYS)
        resumed = cls(run, requested, tuple(shown))
        resumed.announce()
        return resumed

    def announce(self) -> None:
        """Say which run goes on, from where, and with which changes.

        Raises:
            RunError: a file of the checkpoint is damaged, or the run has finished by now.
        """
        if self.folder.done:
            raise RunError(f"{self.folder}: nothing to resume: {self.folder.done_advice}")
        if self.checkpoint:
            _refuse_damaged(self.checkpoint)
            say(f"resume: {self.folder} goes on from {self.checkpoint.name}")
        else:
            stopped = "it was stopped before its first checkpoint, and begins anew"
            say(f"{self.folder}: {stopped}{_cached()}")
        for change in self.changes:
            say(f"resume: {change}")

    def seen_at(self, path: Path) -> Self:
        """Return this run in another folder, a copy on a machine with a disk of its own."""
        if path == self.folder.path:
            return self
        folder, name = RunFolder(path), Path(str(self.requested)).name
        is_checkpoint = name.startswith("checkpoint-")
        place = str(folder.checkpoints / name) if is_checkpoint else self.requested
        return replace(self, folder=folder, requested=place)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to load, if there is one."""
        return self.folder.checkpoint_at(str(self.requested))

    def apply(self, recipe: Recipe) -> Recipe:
        """Keep what the run had resolved: the strategy of `auto`, its length, when it evaluates.

        Weights of another strategy would not fit; a length that was left open was resolved together
        with evaluations and early stopping. The rows of a step are divided among the processes.

        Raises:
            RunError: the checkpoint is of weights that were spread in another way over processes.
        """
        if not self.checkpoint or not self.folder.recipe.is_file():
            return recipe
        _refuse_other_sharding(self.checkpoint, recipe.training)
        before = requested.read(self.folder.recipe)
        length = {key: before.training[key] for key in before.training.keys() & LENGTH_KEYS}
        step = step_size.resumed_training(self.folder, self.changes, processes.num_processes())
        sections: dict[str, Any] = {"training": {**length, **recipe.training, **step}}
        if not any(change.key.startswith("early_stopping") for change in self.changes):
            sections["early_stopping"] = before.early_stopping
        if recipe.strategy.name == "auto":
            sections |= {"strategy": before.strategy, "averaging": before.averaging}
            # of more rows than its strategy would be dealt by itself
            sections["data"] = recipe.data.replace(folds=before.data.folds)
        return recipe.replace(**sections)

    @property
    def reason(self) -> str:
        """Why `auto` chose the strategy when the run began; empty without a choice.

        Raises:
            RunError: the lock is missing or damaged.
        """
        choice = self.lock.get("auto") if self.checkpoint else None
        return str(choice.get("reason", "")) if isinstance(choice, dict) else ""

    @property
    def lock(self) -> dict[str, Any]:
        """The lock of the run as it began.

        Raises:
            RunError: it is missing or damaged.
        """
        return strict_json.read(self.folder.lock, "start the run anew")


def runs_folder(recipe: Recipe) -> str:
    """Return the folder of all runs."""
    return recipe.training.get("output_dir") or "runs"


def without_request(recipe: Recipe) -> Recipe:
    """Return the recipe as a run keeps it: to run it again is not to resume it."""
    if "resume_from_checkpoint" not in recipe.training:
        return recipe
    training = {k: v for k, v in recipe.training.items() if k != "resume_from_checkpoint"}
    return recipe.replace(training=training)


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
        advice = f"to go on, run it again{_cached()}"
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
        advice = f"make room, and run it again{_cached()}"
        if folder.checkpoint:
            advice = (
                f"{folder.checkpoint.name} is whole: make room, and run the same recipe with "
                "training.resume_from_checkpoint=true"
            )
        raise RunError(f"{folder}: cannot be written ({reason}); {advice}") from None


def _check(run: RunFolder, recipe: Recipe) -> tuple[Difference, ...]:
    if run.whole.staged_recipe.is_file():
        raise RunError(f"{run}: was run from a recipe with stages; resume it with that recipe")
    return check(run, recipe)


def _cached() -> str:
    """Say what is not computed again; empty where nothing is kept."""
    return ": finished passes are kept, and finished folds" if cache.is_writable() else ""


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


def _refuse_other_sharding(checkpoint: Path, training: Mapping[str, Any]) -> None:
    """Refuse to load what an optimizer saved whose state was spread in another way.

    Raises:
        RunError: names both ways.
    """
    # without a launcher nothing is spread, whatever is asked for
    now = sharding_key(training) if processes.is_launched() else None
    before = saved_sharding(checkpoint)
    has_optimizer = before or (checkpoint / "optimizer.pt").is_file()
    if has_optimizer and before != now:
        raise RunError(
            f"{checkpoint}: was saved by a training with {NAMES[before]}, which keeps its "
            f"optimizer in files of its own, and now there is {NAMES[now]}; launch it as before, "
            "or begin a new run"
        )


def _open_tensors(file: Path, remedy: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        # its header states where each tensor ends, which is compared with the size of the file
        with safe_open(file, "numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise RunError(f"{file}: damaged: {error}; {remedy}") from None
