"""The whole story of a run, top to bottom.

1. Resumed.of    Recipe                     -> the unfinished run to go on with, or None; from
                                               here on no other process writes to its folder
2. prepare       Recipe                     -> Prepared: the resolved recipe, data, model, rows
   race          Recipe, Prepared           -> Prepared: of few rows `auto` trains and compares
3. write_lock    Prepared                   -> recipe.yaml, lock.json, data.json
4. Strategy.fit  Job                        -> Fitted: an Output, its history, what was chosen
   ProbeInstead  Fitted                     -> Fitted: of a probe, where rules of `auto` chose a
                                               training that is worse on validation; locked anew
5. calibrate     Prepared, Fitted           -> Fitted with its temperature, predictions
   decide        Prepared, Fitted           -> Fitted with thresholds for several labels
6. evaluate      Prepared, Fitted           -> Evidence; test is scored here, once
7. Output.save   Fitted                     -> model/, a standard checkpoint
8. with_parity   Evidence, model/           -> Evidence: does it predict the same?
9. _report       Evidence                   -> card, metrics.json, page, summary; then the push
"""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core import machines, processes
from pipelines.core.console import busy, say, wrapped
from pipelines.core.disk import replacing_folder
from pipelines.core.errors import ModelError
from pipelines.recipe import Recipe
from pipelines.report import card, choice, pictures, push, requested, results, summary
from pipelines.report.evidence import Evidence
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing
from pipelines.workflow import report_page
from pipelines.workflow.learn import Learned, learn
from pipelines.workflow.locking import write_lock
from pipelines.workflow.original import Original
from pipelines.workflow.out_of_memory import explaining_memory
from pipelines.workflow.prepare import prepare
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.probe_instead import ProbeInstead
from pipelines.workflow.race import race
from pipelines.workflow.reload_checks import with_parity
from pipelines.workflow.resume import Resumed, without_request
from pipelines.workflow.run_place import new_place, resumed_place
from pipelines.workflow.stopped import advising, explaining_full_disk
from pipelines.workflow.train import check_training

if TYPE_CHECKING:
    from datasets import Dataset


def run(recipe: Recipe, original: Original | None = None) -> RunFolder:
    """Fine-tune as `recipe` says and return the folder with everything that came of it.

    Args:
        original: the run that this one repeats.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal, after saving a checkpoint to resume from.
        KeyboardInterrupt: the same, before there is a folder.
    """
    with ExitStack() as stack:
        # first of all: where there is nothing to resume, nothing needs to be loaded
        resumed = resumed_place(recipe, stack)
        if resumed:
            resumed.announce()
        if recipe.hub.push and recipe.hub.repo_id:
            push.check(recipe.hub.repo_id)  # refused before hours of training
        return run_in(None, without_request(recipe), resumed, original=original)


def run_in(
    folder: RunFolder | None,
    recipe: Recipe,
    resumed: Resumed | None,
    *,
    held_out: "Dataset | None" = None,
    original: Original | None = None,
) -> RunFolder:
    """Run a recipe in a folder that is there; in a new one if it is None.

    Args:
        held_out: rows whose texts are left out, such as the test split of a later stage.
        original: the run, or the stage of one, that this one repeats.

    Raises:
        GraftError: as `run` does.
        Interrupted: on a signal.
    """
    as_given = recipe
    recipe = resumed.apply(recipe) if resumed else recipe
    prepared = prepare_run(recipe, held_out=held_out)
    with ExitStack() as stack:
        if folder is None:
            folder = resumed.folder if resumed else new_place(prepared.recipe, stack)
        for context in (advising(folder), owning(folder), explaining_full_disk(folder)):
            stack.enter_context(context)
        if processes.is_main():
            requested.write(folder, as_given)
        prepared = race(recipe, prepared)
        if not prepared.reason:
            prepared = replace(prepared, **_choice(resumed, original))
        locked = write_lock(prepared, folder, resumed, original)
        with explaining_memory(prepared):
            probe = ProbeInstead.of(as_given, prepared)
            learned = learn(prepared, folder, resumed, probe)
        if learned.prepared is not prepared:
            locked = write_lock(learned.prepared, folder, resumed, original)
        _complete(learned, folder, locked)
    return folder


def _complete(learned: Learned, folder: RunFolder, locked: dict[str, Any]) -> None:
    """Save and report what was learned, all of it in the folder."""
    prepared, fitted, evidence = learned
    if processes.is_main():
        with writing(folder.model), replacing_folder(folder.model) as partial:
            fitted.output.save(partial, prepared.checkpoint.processor)
    # every process loads the folder below, and only one has written it
    processes.wait()
    with (
        busy("loading what was saved, and trying the lines that use it"),
        machines.visible(folder.model) as saved,
    ):
        evidence = with_parity(prepared, fitted, evidence, saved)
    if processes.is_main():
        _report(prepared, folder, evidence, locked)


def _choice(resumed: Resumed | None, original: Original | None) -> dict[str, Any]:
    """Return what `auto` chose by, when the run that goes on or is repeated began."""
    before = choice.of(original.lock) if original else {}
    return before or (choice.of(resumed.lock) if resumed and resumed.is_trained else {})


def measure(recipe: Recipe, folder: RunFolder) -> None:
    """Run a recipe in a folder that is there, for its evidence alone: no model is saved.

    Raises:
        GraftError: as `run` does; DivergedError where outputs are not finite.
        Interrupted: on a signal.
    """
    with owning(folder), explaining_full_disk(folder):
        prepared = race(recipe, prepare_run(recipe))
        machines.require_shared(folder.path, "a comparison")
        write_lock(prepared, folder)
        learned = learn(prepared, folder, None, ProbeInstead.of(recipe, prepared))
        if learned.prepared is not prepared:
            write_lock(learned.prepared, folder)
        if processes.is_main():
            results.write(folder, learned.evidence)
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
        processes.wait()


def prepare_run(recipe: Recipe, *, held_out: "Dataset | None" = None) -> Prepared:
    """Prepare the run, and print all findings; nothing of the run is written.

    Raises:
        GraftError: something in recipe, data or checkpoint is wrong.
    """
    prepared = prepare(recipe, held_out=held_out)
    for finding in prepared.findings.findings():
        say(wrapped(f"data: {finding}"))
    check_training(prepared)  # before anything is trained, or there is a folder
    return prepared


def _report(
    prepared: Prepared, folder: RunFolder, evidence: Evidence, locked: dict[str, Any]
) -> None:
    """Write card, evidence and report, print the summary, then push.

    Raises:
        ModelError: the reloaded model, or the printed lines, do not predict the same; nothing is
            pushed.
    """
    recipe = prepared.recipe
    # before parity is judged: of a model that fails there should be a report, too
    pictures.draw(folder, evidence)
    card.write(folder, evidence, recipe, locked)
    results.write(folder, evidence)
    report_page.draw(folder, prepared)
    say(summary.summarize(folder, evidence))
    shutil.rmtree(folder.checkpoints, ignore_errors=True)  # the model is saved: nothing to resume
    if evidence.parity and not evidence.parity.ok:
        raise ModelError(
            f"{folder.model}: loaded again, it does not predict what the trained model did; do not "
            "use it, and please report the recipe"
        )
    if evidence.printed and evidence.printed.problem:
        raise ModelError(
            f"{folder.model}: the lines above do not give what the trained model predicted "
            f"({evidence.printed.problem}); do not use them, and please report the recipe"
        )
    if recipe.hub.push and recipe.hub.repo_id:
        say(f"pushed to {push.push(folder, recipe.hub.repo_id, private=recipe.hub.private)}")
