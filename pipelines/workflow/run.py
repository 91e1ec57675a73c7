"""The whole story of a run, top to bottom.

1. Resumed.of    Recipe                     -> the unfinished run to go on with, or None
2. prepare       Recipe                     -> Prepared: the resolved recipe, data, model, rows
3. lock          Prepared                   -> recipe.yaml, lock.json, data.json
4. Strategy.fit  Job                        -> Fitted: an Output, its history, what was chosen
5. calibrate     Prepared, Fitted           -> Fitted with its temperature, predictions
   decide        Prepared, Fitted           -> Fitted with thresholds for several labels
6. evaluate      Prepared, Fitted           -> Evidence; test is scored here, once
7. Output.save   Fitted                     -> model/, a standard checkpoint
8. with_parity   Evidence, model/           -> Evidence: does it predict the same?
9. _report       Evidence                   -> card, metrics.json, summary; then the push
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hardware, processes
from pipelines.core.console import say
from pipelines.core.errors import ModelError
from pipelines.recipe import Recipe
from pipelines.report import card, data_report, lock, push, results, summary
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.training.averaging import soup
from pipelines.training.job import Job
from pipelines.training.rehearsal import rehearse
from pipelines.workflow.calibrate import calibrate, decide
from pipelines.workflow.evaluate import evaluate, with_parity
from pipelines.workflow.prepare import prepare
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.resume import Resumed, runs_folder

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipelines.training.job import Fitted


def run(recipe: Recipe) -> RunFolder:
    """Fine-tune as `recipe` says and return the folder with everything that came of it.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal, after saving a checkpoint to resume from.
    """
    # first of all: where there is nothing to resume, nothing needs to be loaded
    resumed = Resumed.of(recipe)
    if recipe.hub.push and recipe.hub.repo_id:
        push.check(recipe.hub.repo_id)  # refused before hours of training
    prepared = _prepare(recipe, resumed)
    check_training(prepared)  # before there is a folder
    folder = resumed.folder if resumed else _new_folder(prepared.recipe)
    locked = _lock(prepared, folder)
    fitted, seconds = _fit(prepared, folder, resumed)
    fitted, validation = calibrate(prepared, fitted)
    fitted, validation = decide(prepared, fitted, validation)
    evidence = evaluate(prepared, fitted, validation, seconds)
    if processes.is_main():
        fitted.output.save(folder.model, prepared.checkpoint.processor)
    # every process loads the folder below, and only one has written it
    processes.wait()
    evidence = with_parity(prepared, fitted, evidence, folder.model)
    if processes.is_main():
        _report(prepared.recipe, folder, evidence, locked)
    return folder


def trial(
    recipe: Recipe, checkpoints: Path, callbacks: "tuple[TrainerCallback, ...]" = ()
) -> dict[str, float]:
    """Train as `recipe` says and return what its run would score on validation.

    Test is left out. Files on the way are written to `checkpoints`; nothing else stays.

    Raises:
        GraftError: as `run` does; DivergedError where outputs are not finite.
        Interrupted: on a signal.
    """
    # sharded weights are put together on the main process from a whole checkpoint only
    model_only = not recipe.training.keys() & {"fsdp", "deepspeed"}
    training = {"save_only_model": model_only, **recipe.training}
    prepared = prepare(recipe.replace(training=training), test=False)
    recipe = prepared.recipe
    # pruning compares a run's scores by how far it has come, and a soup is several runs
    single_run_callbacks = () if recipe.averaging.soup else callbacks
    job = job_of(prepared, checkpoints, callbacks=single_run_callbacks)
    fitted, collect = _train(recipe, job), recipe.task.collect
    if fitted.out_of_fold is not None:
        return job.score({"logits": fitted.out_of_fold})
    return job.score(fitted.output.run(job.validation, job.collate, collect, **job.forward_options))


def _prepare(recipe: Recipe, resumed: Resumed | None) -> Prepared:
    """Prepare the run, under what a resumed one had resolved, and print all findings."""
    prepared = prepare(resumed.apply(recipe) if resumed else recipe)
    for finding in prepared.findings.findings():
        say(f"data: {finding}")
    if resumed and not prepared.reason:
        prepared = replace(prepared, reason=resumed.reason)
    return prepared


def _new_folder(recipe: Recipe) -> RunFolder:
    """Create one folder for all processes, on the main one."""
    return processes.from_main(lambda: RunFolder.create(runs_folder(recipe), recipe.name))


def _lock(prepared: Prepared, folder: RunFolder) -> dict[str, Any]:
    """Write down what the recipe meant today, before training."""
    locked = lock.collect(
        prepared.recipe,
        commit=prepared.checkpoint.commit,
        num_processes=processes.num_processes(),
        reason=prepared.reason,
    )
    if processes.is_main():
        lock.write(folder, prepared.recipe, locked)
        data_report.write(folder, prepared.data, prepared.findings)
    return locked


def _fit(prepared: Prepared, folder: RunFolder, resumed: Resumed | None) -> tuple["Fitted", float]:
    """Train; returns the result and the seconds that it took."""
    recipe = prepared.recipe
    resume_from = resumed.checkpoint if resumed else None
    job = job_of(prepared, folder.checkpoints, resume_from=resume_from)
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {prepared.num_examples:,} examples{of_a_stream}, "
        f"{hardware.describe(job.arguments)}"
    )
    started = time.monotonic()
    return _train(recipe, job), time.monotonic() - started


def _train(recipe: Recipe, job: Job) -> "Fitted":
    """Train once, or once for each ingredient of a soup."""
    if recipe.averaging.soup:
        return soup.fit(recipe.strategy.fit, job, recipe.averaging.soup)
    return recipe.strategy.fit(job)


def check_training(prepared: Prepared) -> None:
    """Refuse what training would refuse of the recipe's `training:` and `speed:`.

    Nothing is trained or written.

    Raises:
        RecipeError: a value that the optimizer, the schedule or a report refuses; a switch that
            says `on`, and it cannot be done.
    """
    strategy, job = prepared.recipe.strategy, job_of(prepared, Path())
    if strategy.no_gradient_reason is None:
        rehearse(job)
    strategy.check_switches(job)


def job_of(prepared: Prepared, checkpoints: Path, **fields: Any) -> Job:
    """Make the job that a strategy fits; `fields` are more fields of `Job`."""
    recipe = prepared.recipe
    return Job(
        task=recipe.task,
        checkpoint=prepared.checkpoint,
        labels=prepared.data.labels,
        # of a stream, `encoded` holds the first rows only, for checks and estimates
        train=prepared.encoded["train"] if prepared.stream is None else prepared.stream,
        validation=prepared.encoded["validation"],
        train_targets=prepared.targets["train"],
        validation_targets=prepared.targets["validation"],
        collate=prepared.collate,
        collate_train=prepared.collate_train,
        loss=prepared.loss,
        folds=prepared.folds,
        row_groups=recipe.task.row_groups(prepared.targets["train"], prepared.data.labels),
        scorer=prepared.scorer,
        arguments=prepared.arguments(checkpoints),
        early_stopping=recipe.early_stopping,
        # masked_lm draws its masks anew, too: nothing that is computed from an example stays valid
        varies=recipe.augmentation is not None or recipe.task.varies,
        regularization=recipe.regularization,
        averaging=recipe.averaging,
        speed=recipe.speed,
        target_scale=prepared.target_scale,
        **fields,
    )


def _report(recipe: Recipe, folder: RunFolder, evidence: Evidence, locked: dict[str, Any]) -> None:
    """Write card and report, print the summary, then push.

    Raises:
        ModelError: the reloaded model does not predict the same; it is not pushed.
    """
    # before parity is judged: of a model that fails there should be a report, too
    card.write(folder, evidence, recipe, locked)
    results.write(folder, evidence)
    say(summary.summarize(folder, evidence))
    shutil.rmtree(folder.checkpoints, ignore_errors=True)  # the model is saved: nothing to resume
    if evidence.parity and not evidence.parity.ok:
        raise ModelError(
            f"{folder.model}: loaded again, it does not predict what the trained model did; do not "
            "use it, and please report the recipe"
        )
    if recipe.hub.push and recipe.hub.repo_id:
        say(f"pushed to {push.push(folder, recipe.hub.repo_id, private=recipe.hub.private)}")
