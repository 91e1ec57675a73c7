"""A recipe with stages: one run after the other in one folder, each from the model before.

1. _folder     StagedRecipe   -> None, or the unfinished run to go on with
2. _rehearse   later stages   -> nothing; refused before the first one trains
3. run_in      each stage     -> 1-masked_lm/, … and at last the run folder itself
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipelines.core import processes
from pipelines.core.console import capture_stdout, say
from pipelines.core.errors import GraftError, RunError
from pipelines.models.revision import encoder_folder
from pipelines.recipe import Recipe, StagedRecipe
from pipelines.recipe.staged import load
from pipelines.report import push
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import RunFolder, writing
from pipelines.workflow import check
from pipelines.workflow.resume import Resumed, advising, runs_folder
from pipelines.workflow.run import new_folder, prepare_run, run_in

if TYPE_CHECKING:
    from datasets import Dataset


def run(staged: StagedRecipe) -> RunFolder:
    """Run every stage that is not finished and return the folder of all of them.

    The texts of the last stage's test split are left out of the stages before.

    Raises:
        GraftError: as `workflow.run` does; names the stage.
        Interrupted: on a signal.
    """
    last = staged.stages[-1]
    resumed = _resumed(staged)
    if last.hub.push and last.hub.repo_id:
        push.check(last.hub.repo_id)
    held_out = _rehearse(staged)
    folder = resumed or new_folder(last)
    with advising(folder):
        if processes.is_main():
            _write(folder, staged)
        processes.wait()
        for number in range(len(staged.stages)):
            with _named(number):
                _run_stage(staged, number, folder, held_out, resume=resumed is not None)
    return folder


def report(staged: StagedRecipe) -> str:
    """Describe what every stage would do, later ones with the checkpoint of the first.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong; names the stage.
    """
    reports, held_out = [], _rehearse(staged)
    for number, stage in enumerate(staged.stages):
        say(_title(staged, number))
        is_last = number == len(staged.stages) - 1
        with _named(number):
            text = check.report(
                _from_origin(stage) if number else stage, held_out=None if is_last else held_out
            )
        from_before = "\nstarts     from the model of the stage before" if number else ""
        reports.append(f"\n{_title(staged, number)}{from_before}\n{text}")
    return "\n".join(reports)


def _run_stage(
    staged: StagedRecipe,
    number: int,
    folder: RunFolder,
    held_out: "Dataset | None",
    *,
    resume: bool,
) -> None:
    """Run one stage in its own folder, unless it is finished."""
    is_last = number == len(staged.stages) - 1
    recipe, place = staged.stages[number], _place(staged, number, folder)
    if place.done:
        say(f"{_title(staged, number)}: finished in {place}")
        return
    say(_title(staged, number))
    if number:
        model = encoder_folder(_place(staged, number - 1, folder).model).as_posix()
        recipe = recipe.replace(model=recipe.model.replace(checkpoint=model, revision="main"))
    is_begun = resume and place.lock.is_file()
    processes.from_main(lambda: place.path.mkdir(exist_ok=True))
    resumed = Resumed.in_folder(place, _checkpoint(staged, place)) if is_begun else None
    recipe = recipe.replace(
        training={k: v for k, v in recipe.training.items() if k != "resume_from_checkpoint"}
    )
    run_in(place, recipe, resumed, held_out=None if is_last else held_out)


def _place(staged: StagedRecipe, number: int, folder: RunFolder) -> RunFolder:
    """The folder of a stage; that of the last one is the run's own."""
    if number == len(staged.stages) - 1:
        return folder
    return folder.stage(number, staged.stages[number].task.name)


def _resumed(staged: StagedRecipe) -> RunFolder | None:
    """Find the run that `training.resume_from_checkpoint` means; true is the latest unfinished.

    Raises:
        RunError: there is nothing to resume, or it has other stages.
    """
    last = staged.stages[-1]
    requested = last.training.get("resume_from_checkpoint")
    if not requested:
        return None
    if requested is True:
        folder = RunFolder.latest_resumable(runs_folder(last), staged.name)
    else:
        paths = (Path(requested), *Path(requested).parents)
        above = [RunFolder(path) for path in paths if RunFolder(path).staged_recipe.is_file()]
        if not above:
            raise RunError(f"{requested}: not in the folder of a run with stages")
        folder = above[0]
    if folder.done or not folder.staged_recipe.is_file():
        reason = "the run is done" if folder.done else "it is no run with stages"
        raise RunError(f"{folder}: nothing to resume: {reason}")
    _compare(staged, folder)
    return folder


def _compare(staged: StagedRecipe, folder: RunFolder) -> None:
    """Refuse to go on with other stages; note a finished one that has other values now."""
    before = load(folder.staged_recipe)
    assert isinstance(before, StagedRecipe)
    then, now = map(_tasks, (before, staged))
    if then != now:
        raise RunError(
            f"{folder}: its stages are {', '.join(then)}, and the recipe's {', '.join(now)}; "
            "leave training.resume_from_checkpoint out"
        )
    pairs = zip(before.values()["stages"], staged.values()["stages"], strict=True)
    for number, (old, new) in enumerate(pairs):
        if old != new and _place(staged, number, folder).done:
            say(
                f"note: stages.{number} is finished, and stays as it was run: with the values of "
                f"{folder.staged_recipe}"
            )


def _tasks(staged: StagedRecipe) -> list[str]:
    return [stage.task.name for stage in staged.stages]


def _checkpoint(staged: StagedRecipe, place: RunFolder) -> bool | str:
    """Return the checkpoint that the recipe names if it is one of this stage, else true."""
    requested = staged.stages[-1].training.get("resume_from_checkpoint")
    if isinstance(requested, str):
        folder = Path(requested).resolve().parent
        return requested if folder == place.checkpoints.resolve() else True
    return True


def _rehearse(staged: StagedRecipe) -> "Dataset | None":
    """Prepare the later stages, as far as can be done before there is the model that they train.

    Returns:
        The test split of the last one.
    """
    held_out = None
    for number, stage in list(enumerate(staged.stages))[1:]:
        with _named(number), capture_stdout():
            held_out = prepare_run(_from_origin(stage)).data.test
    return held_out


def _from_origin(stage: Recipe) -> Recipe:
    """Let a later stage start from the first one's checkpoint, which has no head to keep."""
    return stage.replace(model=stage.model.replace(head="auto"))


def _write(folder: RunFolder, staged: StagedRecipe) -> None:
    values = without_tokens(staged.values())
    with writing(folder.path):
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        folder.staged_recipe.write_text(text, encoding="utf-8")


def _title(staged: StagedRecipe, number: int) -> str:
    task = staged.stages[number].task.name
    return f"stage {number + 1} of {len(staged.stages)} (stages.{number}): {task}"


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Let errors name the stage, unless its place in the recipe does."""
    try:
        yield
    except GraftError as error:
        raise type(error)(f"stages.{number}: {error}") from None
