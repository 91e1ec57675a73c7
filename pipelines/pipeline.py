"""The whole story of a run, top to bottom."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import console, evaluation, hardware, hub, report, trainer, training_arguments
from pipelines.averaging import soup
from pipelines.calibration import calibrated, temperature
from pipelines.calibration.calibrated import Calibrated
from pipelines.calibration.decisions import Decisions
from pipelines.console import say
from pipelines.errors import ModelError
from pipelines.features.candidates import probe
from pipelines.output import reload
from pipelines.prepared import Prepared, prepare
from pipelines.recipe import Recipe
from pipelines.report import card, lock, parity
from pipelines.report.evidence import Evidence, Predictions
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipelines.trainer import Fitted


def run(recipe: Recipe) -> RunFolder:
    """Fine-tune as `recipe` says; everything that came of it lies in the folder given back.

    Raises:
        GraftError: before any training, when something in recipe, data or checkpoint is wrong;
            after it, when the push failed or the reloaded model is not the trained one.
        Interrupted: on a signal, after saving a checkpoint to resume from.
    """
    resumed = _resumed(recipe)
    if recipe.hub.push and recipe.hub.repo_id:
        hub.check(recipe.hub.repo_id)
    prepared = prepare(recipe)
    for warning in prepared.findings.warnings():
        say(f"data: {warning}")
    recipe = prepared.recipe
    folder = resumed or _new_folder(recipe)
    locked = lock.collect(
        recipe, commit=prepared.checkpoint.commit, num_processes=console.num_processes()
    )
    if console.is_main():
        lock.write(folder, recipe, locked)
        report.write_data(folder, prepared.data, prepared.findings)
    fitted, seconds = _fit(prepared, folder, resumed)
    fitted, validation = _calibrated(prepared, fitted)
    evidence = _evidence(prepared, fitted, validation, seconds)
    if console.is_main():
        fitted.output.save(folder.model, prepared.checkpoint.processor)
    console.wait()
    options = training_arguments.forward_options(prepared.arguments())
    library, labels = fitted.output.library, prepared.data.labels
    bits = recipe.model.quantization
    predict = reload(folder.model, library, recipe.task, labels, bits, **options)
    trained = evidence.predictions["validation"].kept
    evidence = replace(evidence, parity=parity.compare(predict, prepared.data.validation, trained))
    if console.is_main():
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
    of_one_run = () if recipe.averaging.soup else callbacks
    job = job_of(prepared, checkpoints, callbacks=of_one_run)
    output = _train(recipe, job).output
    return job.score(
        output.run(job.validation, job.collate, recipe.task.read, **job.forward_options)
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


def _new_folder(recipe: Recipe) -> RunFolder:
    """One folder for all processes: the main one makes it and tells the others."""
    return console.from_main(lambda: RunFolder.create(root(recipe), recipe.name))


def root(recipe: Recipe) -> str:
    """The folder of all runs."""
    return recipe.training.get("output_dir") or "runs"


def _fit(
    prepared: Prepared, folder: RunFolder, resumed: RunFolder | None
) -> tuple["Fitted", float]:
    recipe = prepared.recipe
    job = job_of(prepared, folder.checkpoints, resume_from=_checkpoint(recipe, resumed))
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {prepared.num_examples:,} examples{of_a_stream}, "
        f"{hardware.describe(job.arguments)}"
    )
    started = time.monotonic()
    return _train(recipe, job), time.monotonic() - started


def _train(recipe: Recipe, job: trainer.Job) -> "Fitted":
    """Once, or for each ingredient of a soup."""
    mixed = recipe.averaging.soup
    return soup.fit(recipe.strategy, job, mixed) if mixed else recipe.strategy.fit(job)


def job_of(prepared: Prepared, checkpoints: Path, **how: Any) -> trainer.Job:
    """What a strategy needs to fit what was prepared; `how` are more fields of the job."""
    recipe = prepared.recipe
    return trainer.Job(
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
        batches=prepared.batches,
        varies=recipe.augmentation is not None or recipe.task.varies,
        regularisation=recipe.regularisation,
        averaging=recipe.averaging,
        **how,
    )


def _checkpoint(recipe: Recipe, resumed: RunFolder | None) -> Path | None:
    said = recipe.training.get("resume_from_checkpoint")
    return resumed.checkpoint_at(str(said)) if resumed else None


def _calibrated(prepared: Prepared, fitted: "Fitted") -> tuple["Fitted", Predictions]:
    """The model with the temperature of validation in its weights, and what it says of validation.

    Dividing the logits that are there already stands for a second pass.
    """
    said = _predictions(prepared, fitted, "validation")
    asked, labels = prepared.recipe.calibration, prepared.data.labels
    if not asked or not asked.temperature:
        return fitted, said
    logits: Any = said.kept["logits"]
    found = temperature.fit(Decisions.of(logits, said.targets, labels.problem_type))
    output = fitted.output.divided(found, probe(prepared.encoded["validation"], prepared.collate))
    if output is None:
        say("calibration: no linear layer has the last word: probabilities stay as trained")
        return fitted, said
    fitted = replace(fitted, output=output, temperature=found)
    return fitted, replace(said, kept={**said.kept, "logits": logits / found})


def _predictions(prepared: Prepared, fitted: "Fitted", split: str) -> Predictions:
    """What the model says of a split."""
    task, rows, collate = prepared.recipe.task, prepared.encoded[split], prepared.collate
    options = training_arguments.forward_options(prepared.arguments())
    kept = fitted.output.run(rows, collate, task.read, title=f"predicting {split}", **options)
    processor, labels = prepared.checkpoint.processor, prepared.data.labels
    predicted = evaluation.predict(task, kept, rows, processor, labels)
    return Predictions(kept, predicted, prepared.targets[split])


def _reliability(
    prepared: Prepared, fitted: "Fitted", predictions: dict[str, Predictions]
) -> Calibrated | None:
    """How true the probabilities are, where there are any."""
    recipe, kind = prepared.recipe, prepared.data.labels.problem_type
    if not recipe.calibration:
        return None
    said = {split: (found.kept["logits"], found.targets) for split, found in predictions.items()}
    return calibrated.measure(recipe.calibration, fitted.temperature, said, kind, recipe.seed)


def _evidence(
    prepared: Prepared, fitted: "Fitted", validation: Predictions, seconds: float
) -> Evidence:
    """Score validation, then test: the one time that test is looked at."""
    recipe, labels, scorer = prepared.recipe, prepared.data.labels, prepared.scorer
    task = recipe.task
    predictions = {"validation": validation}
    scores: dict[str, dict[str, float]] = {}
    floor: dict[str, dict[str, float]] = {}
    if "test" in prepared.encoded:
        predictions["test"] = _predictions(prepared, fitted, "test")
    for split, said in predictions.items():
        targets = prepared.targets[split]
        scores[split] = scorer(said.predictions, targets)
        constant = task.floor(prepared.targets["train"], targets, labels)
        floor[split] = scorer(constant, targets)
    return Evidence(
        task=task,
        labels=labels,
        checkpoint=recipe.model.checkpoint,
        strategy=recipe.strategy.name,
        pretrained=recipe.strategy.pretrained,
        library=fitted.output.library,
        quantization=recipe.model.quantization,
        prompts=getattr(fitted.output, "prompts", False),
        parameters=sum(p.numel() for p in fitted.output.model.parameters()),
        trainable=fitted.trainable,
        seconds=seconds,
        waited=fitted.waited,
        examples={
            split: prepared.num_examples if split == "train" else len(targets)
            for split, targets in prepared.targets.items()
        },
        main_metric=scorer.main,
        validation=scores["validation"],
        test=scores.get("test"),
        floor=floor,
        parity=None,
        history=fitted.history,
        chosen=fitted.chosen,
        pair="text_pair" in prepared.data.validation.column_names,
        predictions=predictions,
        calibration=_reliability(prepared, fitted, predictions),
    )
