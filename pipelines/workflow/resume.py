"""Which unfinished run to go on with, and what it had resolved already."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipelines.recipe import Recipe, load
from pipelines.report.run_folder import RunFolder

LENGTH_KEYS = {"num_train_epochs", "eval_strategy", "eval_steps"}  # which `auto` may choose


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
            RunError: there is nothing to resume.
        """
        requested = recipe.training.get("resume_from_checkpoint")
        if not requested:
            return None
        if requested is True:
            return cls(RunFolder.latest_resumable(runs_folder(recipe), recipe.name), True)
        return cls(RunFolder.resumable(requested), str(requested))

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to load, if there is one."""
        return self.folder.checkpoint_at(str(self.requested))

    def apply(self, recipe: Recipe) -> Recipe:
        """Keep what `auto` chose before: the weights of another strategy would not fit."""
        if recipe.strategy.name != "auto":
            return recipe
        # recipe.yaml of a run folder is the resolved recipe
        before = load(self.folder.recipe)
        length = {key: before.training[key] for key in before.training.keys() & LENGTH_KEYS}
        return recipe.replace(
            strategy=before.strategy,
            averaging=before.averaging,
            training={**length, **recipe.training},
        )

    @property
    def reason(self) -> str:
        """Why `auto` chose the strategy when the run began; empty without a choice."""
        lock = json.loads(self.folder.lock.read_text(encoding="utf-8"))
        return (lock.get("auto") or {}).get("reason", "")


def runs_folder(recipe: Recipe) -> str:
    """Return the folder of all runs."""
    return recipe.training.get("output_dir") or "runs"
