"""A run -> the same run again, from what its lock identifies.

1. Replay.of   lock.json or run folder   -> Replay: the recipe with its commits, and overrides
2. _check      Replay                    -> refused where files or commits differ; packages that
                                            differ are listed
3. run         Recipe                    -> a new run folder, whose lock names what it repeats
4. _compare    both folders              -> replay.json: are weights and scores equal?
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipelines.core.console import busy, say
from pipelines.core.errors import RunError
from pipelines.recipe import Recipe, StagedRecipe
from pipelines.recipe.differences import Difference
from pipelines.report.run_folder import RunFolder
from pipelines.workflow import replayed_recipe
from pipelines.workflow.original import ADVICE, Original

LOCK = "lock.json"


def names_run(path: str | Path) -> bool:
    """Return whether a path names a run that can be repeated: its lock, or its folder."""
    path = Path(path)
    # of os.path, which takes a name that is too long for one that does not exist
    return os.path.isfile(path if path.name == LOCK else path / LOCK)


@dataclass(frozen=True)
class Replay:
    """A run that is repeated.

    Attributes:
        folder: of the run that is repeated.
        originals: its stages; one where it has none.
        changes: what the overrides change, none of which changes weights or scores.
    """

    folder: RunFolder
    recipe: Recipe | StagedRecipe
    originals: tuple[Original, ...]
    changes: tuple[Difference, ...]

    @classmethod
    def of(cls, path: str | Path, overrides: Iterable[str] = ()) -> Self:
        """Read the recipe that a lock was written with; nothing heavy is imported.

        Raises:
            RunError: `path` names no finished run and no lock, or a file is damaged.
            RecipeError: an override would make it another run.
        """
        overrides = [*overrides]
        folder = _folder(Path(path), overrides)
        places = (*folder.stages_before, folder)
        originals = tuple(Original(place, follows=place != places[0]) for place in places)
        values = replayed_recipe.values(originals)
        before, recipe = (
            replayed_recipe.build(values, folder.recipe, each) for each in ((), overrides)
        )
        changes = tuple(replayed_recipe.changes(before, recipe))
        if refused := [change for change in changes if not replayed_recipe.is_free(change)]:
            lines = "\n".join(f"  {change}" for change in refused)
            raise RunError(
                f"{path}: a run is repeated with the values that it had; {replayed_recipe.ALLOWED}"
                f"; to train with other values: graft run {_recipe(folder)} key=value\n{lines}"
            )
        return cls(folder, recipe, originals, changes)

    @property
    def stages(self) -> tuple[Recipe, ...]:
        """The recipe of each stage."""
        return replayed_recipe.stages(self.recipe)


def run(replay: Replay) -> RunFolder:
    """Repeat a run in a new folder, and say whether the same came of it.

    Raises:
        RunError: files or commits are not those that the run has read; names them.
        GraftError: as `workflow.run` does.
        Interrupted: on a signal.
    """
    from pipelines.core import processes
    from pipelines.workflow import run as runs
    from pipelines.workflow import staged as in_stages

    _check(replay)
    if isinstance(replay.recipe, StagedRecipe):
        folder = in_stages.run(replay.recipe, replay.originals)
    else:
        folder = runs.run(replay.recipe, replay.originals[0])
    if processes.is_main():
        _compare(replay, folder)
    return folder


def _folder(path: Path, overrides: list[str]) -> RunFolder:
    """Return the folder of the run that a path names.

    Raises:
        RunError: it is one stage of a run, or the run is not finished, and no lock is named.
    """
    place = path.parent if path.name == LOCK else path
    # of `.` and `..` the folder above would be another one
    folder = RunFolder(Path(os.path.abspath(place)) if place.name in {"", ".."} else place)
    if folder.whole != folder:
        raise RunError(
            f"{path}: is one stage of a run, whose rows depend on the others; to repeat all of "
            f"them: graft run {folder.whole}"
        )
    resumes = any(each.startswith("training.resume_from_checkpoint") for each in overrides)
    if not folder.done and (resumes or path.name != LOCK):
        raise RunError(
            f"{path}: this run is not finished; to go on with it: graft run {_recipe(folder)} "
            f"training.resume_from_checkpoint={folder}; to repeat it from its begin: graft run "
            f"{folder.lock}"
        )
    return folder


def _recipe(folder: RunFolder) -> Path:
    return folder.staged_recipe if folder.staged_recipe.is_file() else folder.recipe


def _check(replay: Replay) -> None:
    """Say what differs, and refuse to train on other files and commits.

    Raises:
        RunError: names each file or commit, with what it was.
        GraftError: data cannot be read.
    """
    from pipelines.core import startup

    startup.initialize(replay.stages[0].training)
    say(f"replay: of {replay.folder}")
    for change in replay.changes:
        say(f"replay: {change}")
    problems = []
    with busy("comparing files with the lock"):
        for original, recipe in zip(replay.originals, replay.stages, strict=True):
            stage = f"{original.folder.path.name}: " * (original.folder != replay.folder)
            problems += [f"  {stage}{each}" for each in original.changed_contents(recipe)]
    if problems:
        lines = "\n".join(problems)
        raise RunError(
            f"{replay.folder}: what it has read is not what is here; put it back, or say where it "
            f"lies (data.path, model.checkpoint); {ADVICE} graft run {_recipe(replay.folder)}\n"
            f"{lines}"
        )
    for difference in replay.originals[-1].environment_differences():
        say(f"replay: differs: {difference}")


def _compare(replay: Replay, folder: RunFolder) -> None:
    """Write and print whether the same came of it, of each stage."""
    from pipelines.report import repetition

    now = (*folder.stages_before, folder)
    with busy("comparing weights and scores"):
        compared = [
            repetition.compare(original.folder, place)
            for original, place in zip(replay.originals, now, strict=True)
        ]
    repetition.write(folder, replay.originals[-1].name, compared)
    for each in compared:
        for line in each.lines:
            say(f"replay: {line}")
