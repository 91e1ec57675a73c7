"""A recipe with stages: one run after the other in one folder, each from the model before.

1. ResumedStages.of   StagedRecipe   -> the unfinished run to go on with
2. _rehearse          later stages   -> nothing; refused before the first one trains
3. run_in             each stage     -> 1-masked_lm/, … and at last the run folder itself
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core import machines, processes
from pipelines.core.console import capture_stdout, say
from pipelines.core.disk import replacing
from pipelines.core.errors import GraftError
from pipelines.models.revision import encoder_folder
from pipelines.recipe import Recipe, StagedRecipe, yaml_writer
from pipelines.report import push
from pipelines.report.ownership import owning
from pipelines.report.privacy import without_tokens
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing
from pipelines.workflow import check
from pipelines.workflow.original import Original
from pipelines.workflow.resume import Resumed, without_request
from pipelines.workflow.resumed_stages import ResumedStages, place_of, requested_place
from pipelines.workflow.run import prepare_run, run_in
from pipelines.workflow.run_place import new_folder, take_over
from pipelines.workflow.stopped import advising

if TYPE_CHECKING:
    from datasets import Dataset


def run(staged: StagedRecipe, originals: Sequence[Original] = ()) -> RunFolder:
    """Run every stage that is not finished and return the folder of all of them.

    The texts of the last stage's test split are left out of the stages before.

    Args:
        originals: the stages that these repeat, if they do.

    Raises:
        GraftError: as `workflow.run` does; names the stage.
        Interrupted: on a signal.
    """
    last, place = staged.stages[-1], requested_place(staged)
    with ExitStack() as stack:
        resumed: ResumedStages | None = None
        if place:
            resumed = take_over(partial(ResumedStages.of, staged, place), last, stack)
            staged = resumed.announced()
        if last.hub.push and last.hub.repo_id:
            push.check(last.hub.repo_id)
        staged = staged.replace(stages=tuple(map(without_request, staged.stages)))
        held_out = _rehearse(staged)
        folder = resumed.folder if resumed else new_folder(last)
        machines.require_shared(folder.path, "the model of each stage")
        stack.enter_context(owning(folder))
        with advising(folder):
            if processes.is_main():
                _write(folder, staged)
            processes.wait()
            requested = place if resumed else None
            for number in range(len(staged.stages)):
                original = originals[number] if originals else None
                with _named(number):
                    _run_stage(staged, number, folder, held_out, requested, original)
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
    requested: bool | str | None,
    original: Original | None,
) -> None:
    """Run one stage in its own folder, unless it is finished.

    Args:
        requested: the run or checkpoint to resume from; true: the newest; None: none.
        original: the stage that this one repeats.
    """
    is_last = number == len(staged.stages) - 1
    recipe, place = staged.stages[number], place_of(staged, number, folder)
    if place.done:
        say(f"{_title(staged, number)}: finished in {place}")
        return
    say(_title(staged, number))
    if number:
        model = encoder_folder(place_of(staged, number - 1, folder).model).as_posix()
        recipe = recipe.replace(model=recipe.model.replace(checkpoint=model, revision="main"))
    resumed = None
    if requested and place.lock.is_file():
        resumed = Resumed.in_folder(place, recipe, _checkpoint(requested, place))
    processes.from_main(lambda: place.path.mkdir(exist_ok=True))
    rows = None if is_last else held_out
    run_in(place, recipe, resumed, held_out=rows, original=original)


def _checkpoint(requested: bool | str, place: RunFolder) -> bool | str:
    """Return the checkpoint that the recipe names if it is one of this stage, else true."""
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
    text = yaml_writer.text_of(values)
    with writing(folder.path), replacing(folder.staged_recipe) as partial:
        partial.write_text(text, encoding="utf-8")


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
