"""The whole story of a run, top to bottom."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import report
from pipelines.core import hardware, processes
from pipelines.core.console import say
from pipelines.core.errors import ModelError
from pipelines.recipe import Recipe, load
from pipelines.report import card, lock
from pipelines.report import push as hub
from pipelines.report.evidence import Evidence
from pipelines.report.run_folder import RunFolder
from pipelines.training.averaging import soup
from pipelines.training.job import Fitted, Job
from pipelines.workflow import evaluate as examination
from pipelines.workflow.prepare import Prepared, prepare

if TYPE_CHECKING:
    from transformers import TrainerCallback


LENGTH = {"num_train_epochs", "eval_strategy", "eval_steps"}  # which `auto` may choose


def run(recipe: Recipe) -> RunFolder:
    """Fine-tune as `recipe` says; everything that came of it lies in the folder given back.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal, after saving a checkpoint to resume from.
    """
    resumed = _resumed(recipe)
    recipe = _as_decided(recipe, resumed)
    if recipe.hub.push and recipe.hub.repo_id:
        hub.check(recipe.hub.repo_id)
    prepared = prepare(recipe)
    for warning in prepared.findings.warnings():
        say(f"data: {warning}")
    recipe = prepared.recipe
    folder = resumed or _new_folder(recipe)
    locked = lock.collect(
        recipe, commit=prepared.checkpoint.commit, num_processes=processes.num_processes()
    )
    if processes.is_main():
        lock.write(folder, recipe, locked)
        report.write_data(folder, prepared.data, prepared.findings)
    fitted, seconds = _fit(prepared, folder, resumed)
    fitted, validation = examination.calibrate(prepared, fitted)
    evidence = examination.examine(prepared, fitted, validation, seconds)
    if processes.is_main():
        fitted.output.save(folder.model, prepared.checkpoint.processor)
    processes.wait()
    evidence = examination.reloaded(prepared, evidence, folder.model)
    if processes.is_main():
        _tell(recipe, folder, evidence, locked)
    return folder


def trial(
    recipe: Recipe, checkpoints: Path, callbacks: "tuple[TrainerCallback, ...]" = ()
) -> dict[str, float]:
    """Train as `recipe` says and give back what its run would score on validation.

    Test is left aside. What it takes on the way it leaves in `checkpoints`; nothing else stays.

    Raises:
        GraftError: as `run` does; DivergedError where training came to nothing.
        Interrupted: on a signal.
    """
    whole = not recipe.training.keys() & {"fsdp", "deepspeed"}  # is put together by rank 0
    prepared = prepare(
        recipe.replace(training={"save_only_model": whole, **recipe.training}), test=False
    )
    recipe = prepared.recipe  # with what was left to the strategy
    of_one_run = () if recipe.averaging.soup else callbacks
    job = job_of(prepared, checkpoints, callbacks=of_one_run)
    output = _train(recipe, job).output
    return job.score(
        output.run(job.validation, job.collate, recipe.task.collect, **job.forward_options)
    )


def _tell(recipe: Recipe, folder: RunFolder, evidence: Evidence, locked: dict[str, Any]) -> None:
    """Card, report, summary; then the push, of a model that is what it was trained to be."""
    card.write(folder, evidence, recipe, locked)
    report.write(folder, evidence)
    say(report.summary(folder, evidence))
    shutil.rmtree(folder.checkpoints, ignore_errors=True)  # the model is saved: nothing to resume
    if evidence.parity and not evidence.parity.ok:
        raise ModelError(
            f"{folder.model}: loaded afresh, it does not predict what the trained model did; "
            "do not use it, and please report the recipe"
        )
    if recipe.hub.push and recipe.hub.repo_id:
        say(f"pushed to {hub.push(folder, recipe.hub.repo_id, private=recipe.hub.private)}")


def _resumed(recipe: Recipe) -> RunFolder | None:
    """The run that `training.resume_from_checkpoint` means: true is the latest unfinished one."""
    said = recipe.training.get("resume_from_checkpoint")
    if not said:
        return None
    if said is True:
        return RunFolder.latest_resumable(root(recipe), recipe.name)
    return RunFolder.resumable(said)


def _as_decided(recipe: Recipe, resumed: RunFolder | None) -> Recipe:
    """What `auto` chose once is not chosen anew: weights of another strategy would not fit."""
    if resumed is None or recipe.strategy.name != "auto":
        return recipe
    before = load(resumed.recipe)
    length = {k: before.training[k] for k in before.training.keys() & LENGTH}
    return recipe.replace(
        strategy=before.strategy,
        averaging=before.averaging,
        training={**length, **recipe.training},
    )


def _new_folder(recipe: Recipe) -> RunFolder:
    """One folder for all processes: the main one makes it and tells the others."""
    return processes.from_main(lambda: RunFolder.create(root(recipe), recipe.name))


def root(recipe: Recipe) -> str:
    """The folder of all runs."""
    return recipe.training.get("output_dir") or "runs"


def _fit(
    prepared: Prepared, folder: RunFolder, resumed: RunFolder | None
) -> tuple[Fitted, float]:
    recipe = prepared.recipe
    job = job_of(prepared, folder.checkpoints, resume_from=_checkpoint(recipe, resumed))
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {prepared.num_examples:,} examples{of_a_stream}, "
        f"{hardware.describe(job.arguments)}"
    )
    started = time.monotonic()
    return _train(recipe, job), time.monotonic() - started


def _train(recipe: Recipe, job: Job) -> Fitted:
    """Once, or for each ingredient of a soup."""
    mixed = recipe.averaging.soup
    return soup.fit(recipe.strategy.fit, job, mixed) if mixed else recipe.strategy.fit(job)


def job_of(prepared: Prepared, checkpoints: Path, **how: Any) -> Job:
    """What a strategy needs to fit what was prepared; `how` are more fields of the job."""
    recipe = prepared.recipe
    return Job(
        task=recipe.task,
        checkpoint=prepared.checkpoint,
        labels=prepared.data.labels,
        train=prepared.encoded["train"] if prepared.stream is None else prepared.stream,
        validation=prepared.encoded["validation"],
        train_targets=prepared.targets["train"],
        validation_targets=prepared.targets["validation"],
        collate=prepared.collate,
        collate_train=prepared.collate_train,
        loss=prepared.loss,
        scorer=prepared.scorer,
        arguments=prepared.arguments(checkpoints),
        early_stopping=recipe.early_stopping,
        varies=recipe.augmentation is not None or recipe.task.varies,
        regularization=recipe.regularization,
        averaging=recipe.averaging,
        **how,
    )


def _checkpoint(recipe: Recipe, resumed: RunFolder | None) -> Path | None:
    said = recipe.training.get("resume_from_checkpoint")
    return resumed.checkpoint_at(str(said)) if resumed else None
