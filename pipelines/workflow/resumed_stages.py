"""Which unfinished run with stages to go on with, and with which recipe for each stage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipelines.core.console import say
from pipelines.core.errors import RunError
from pipelines.recipe import StagedRecipe
from pipelines.recipe.differences import differences
from pipelines.recipe.staged import load
from pipelines.report.requested import as_written
from pipelines.report.run_folder import RunFolder
from pipelines.workflow.continuation import choose, refusal, refused
from pipelines.workflow.free_keys import read_elsewhere
from pipelines.workflow.resume import runs_folder


@dataclass(frozen=True)
class ResumedStages:
    """An unfinished run with stages that is gone on with.

    Attributes:
        staged: what goes on: stages that are finished are those that were run.
        notes: what of the recipe has no effect on them, or changes a stage that is not begun.
        is_elsewhere: whether files lie in other places than when it began.
    """

    folder: RunFolder
    staged: StagedRecipe
    notes: tuple[str, ...]
    is_elsewhere: bool = False

    @classmethod
    def of(cls, staged: StagedRecipe, place: bool | str) -> Self:
        """Find the run that `training.resume_from_checkpoint` means; true is the latest unfinished.

        Raises:
            RunError: there is nothing to resume, or the run was begun with another recipe.
        """
        if place is True:
            runs = RunFolder.unfinished(runs_folder(staged.stages[-1]), staged.name)
        else:
            paths = (Path(str(place)), *Path(str(place)).parents)
            runs = [RunFolder(path) for path in paths if RunFolder(path).staged_recipe.is_file()][
                :1
            ]
            if not runs:
                raise RunError(f"{place}: not in the folder of a run with stages")
        return choose(runs, lambda run: cls.in_folder(run, staged), lambda run: run.is_elsewhere)[1]

    @classmethod
    def in_folder(cls, folder: RunFolder, staged: StagedRecipe) -> Self:
        """Compare the recipe with that of a run, stage by stage.

        Raises:
            RunError: the run is done or has other stages, or one that is begun has another recipe.
        """
        if folder.done or not folder.staged_recipe.is_file():
            reason = folder.done_advice if folder.done else "it is no run with stages"
            raise RunError(f"{folder}: nothing to resume: {reason}")
        before = load(folder.staged_recipe)
        assert isinstance(before, StagedRecipe)
        then, now = map(_tasks, (before, staged))
        if then != now:
            raise RunError(
                f"{folder}: its stages are {', '.join(then)}, and the recipe's {', '.join(now)}; "
                "leave training.resume_from_checkpoint out"
            )
        stages, notes, is_elsewhere = [], [], False
        problems: list[str] = []
        for number, pair in enumerate(zip(before.stages, staged.stages, strict=True)):
            old, new = map(as_written, pair)
            place, key = place_of(staged, number, folder), f"stages.{number}"
            changes = differences(old, new)
            is_elsewhere |= read_elsewhere(changes)
            stages.append(pair[0] if place.done else pair[1])
            if changes and place.done:
                notes.append(
                    f"{key} is finished, and stays as it was run: with the values of "
                    f"{folder.staged_recipe}"
                )
            elif changes and not place.checkpoint:
                notes += [f"{key} is not begun, and has {key}.{change}" for change in changes]
            else:
                problems += refused(place, new, changes, f"{key}.")
        if problems:
            raise RunError(refusal(folder, problems))
        return cls(folder, staged.replace(stages=tuple(stages)), tuple(notes), is_elsewhere)

    def announced(self) -> StagedRecipe:
        """Say which run goes on, and return its stages.

        Raises:
            RunError: the run has finished by now.
        """
        if self.folder.done:
            raise RunError(f"{self.folder}: nothing to resume: {self.folder.done_advice}")
        say(f"resume: {self.folder}")
        for note in self.notes:
            say(f"note: {note}")
        return self.staged


def requested_place(staged: StagedRecipe) -> bool | str | None:
    """Return the recipe's `training.resume_from_checkpoint`; a path is text."""
    place = staged.stages[-1].training.get("resume_from_checkpoint")
    return place if place is True or not place else str(place)


def place_of(staged: StagedRecipe, number: int, folder: RunFolder) -> RunFolder:
    """Return the folder of a stage; that of the last one is the run's own."""
    if number == len(staged.stages) - 1:
        return folder
    return folder.stage(number, staged.stages[number].task.name)


def _tasks(staged: StagedRecipe) -> list[str]:
    return [stage.task.name for stage in staged.stages]
