"""Which unfinished run to go on with, and what it had resolved already."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.recipe import Recipe
from pipelines.recipe.differences import Difference
from pipelines.report import requested, strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import step_size
from pipelines.workflow.checkpoint_checks import refuse_damaged, refuse_other_sharding
from pipelines.workflow.continuation import changes_since, check, choose
from pipelines.workflow.free_keys import is_free, is_place, read_elsewhere
from pipelines.workflow.stopped import kept_passes

# of `training:`, which the run may have chosen
LENGTH_KEYS = {"num_train_epochs", "max_steps", "eval_strategy", "eval_steps"}
KEEPS_BEST = "load_best_model_at_end"


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
        run, changes = choose(runs, lambda run: _check(run, recipe), read_elsewhere)
        return cls(run, place if place is True else str(place), changes)

    @classmethod
    def in_folder(cls, run: RunFolder, recipe: Recipe, requested: bool | str) -> Self:
        """Take a stage, whose recipe was compared already, and say so.

        Raises:
            RunError: a file of the checkpoint is damaged.
        """
        changes = changes_since(run, recipe)
        shown = (
            each
            for each in changes
            if is_free(each.key) or is_place(each) or each.key in step_size.KEYS
        )
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
            processes.from_main(partial(refuse_damaged, self.checkpoint))
            say(f"resume: {self.folder} goes on from {self.checkpoint.name}")
        elif self.folder.has_ingredients:
            say(f"resume: {self.folder} goes on after the finished runs of its soup")
        else:
            stopped = "it was stopped before its first checkpoint, and begins anew"
            say(f"{self.folder}: {stopped}{kept_passes()}")
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

    @property
    def is_trained(self) -> bool:
        """Whether what follows has to fit what was trained already."""
        return bool(self.checkpoint) or self.folder.has_ingredients

    def apply(self, recipe: Recipe) -> Recipe:
        """Keep what the run had resolved: the strategy of `auto`, its length, when the end counts.

        Weights of another strategy would not fit; a length that was left open was resolved together
        with evaluations and early stopping. The rows of a step are divided among the processes.

        Raises:
            RunError: the checkpoint is of weights that were spread in another way over processes.
        """
        if not self.is_trained or not self.folder.recipe.is_file():
            return recipe
        if self.checkpoint:
            refuse_other_sharding(self.checkpoint, recipe.training)
        before = requested.read(self.folder.recipe)
        length = {key: before.training[key] for key in before.training.keys() & LENGTH_KEYS}
        # of an adaptation the end counts, where the recipe does not say otherwise
        if before.training.get(KEEPS_BEST) is False:
            length[KEEPS_BEST] = False
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


def _check(run: RunFolder, recipe: Recipe) -> tuple[Difference, ...]:
    if run.whole.staged_recipe.is_file():
        raise RunError(f"{run}: was run from a recipe with stages; resume it with that recipe")
    return check(run, recipe)
