"""The whole story of a run, top to bottom."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import console, evaluation, hardware, hub, report, trainer, training_arguments
from pipelines.console import say
from pipelines.errors import ModelError
from pipelines.output import reload
from pipelines.prepared import Prepared, prepare
from pipelines.recipe import Recipe
from pipelines.report import card, lock, parity
from pipelines.report.evidence import Evidence, Predictions
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
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
    evidence = _evidence(prepared, fitted, seconds)
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
        return RunFolder.latest_resumable(_root(recipe), recipe.name)
    return RunFolder.resumable(said)


def _new_folder(recipe: Recipe) -> RunFolder:
    """One folder for all processes: the main one makes it and tells the others."""
    return console.from_main(lambda: RunFolder.create(_root(recipe), recipe.name))


def _root(recipe: Recipe) -> str:
    return recipe.training.get("output_dir") or "runs"


def _fit(
    prepared: Prepared, folder: RunFolder, resumed: RunFolder | None
) -> tuple["Fitted", float]:
    recipe = prepared.recipe
    arguments = prepared.arguments(folder.checkpoints)
    labels = prepared.data.labels
    job = trainer.Job(
        task=recipe.task,
        checkpoint=prepared.checkpoint,
        labels=labels,
        train=prepared.encoded["train"] if prepared.stream is None else prepared.stream,
        validation=prepared.encoded["validation"],
        train_targets=prepared.targets["train"],
        validation_targets=prepared.targets["validation"],
        collate=prepared.collate,
        collate_train=prepared.collate_train,
        loss=prepared.loss,
        scorer=prepared.scorer,
        arguments=arguments,
        early_stopping=recipe.early_stopping,
        resume_from=_checkpoint(recipe, resumed),
        batches=prepared.batches,
        varies=recipe.augmentation is not None or recipe.task.varies,
    )
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {prepared.num_examples:,} examples{of_a_stream}, "
        f"{hardware.describe(arguments)}"
    )
    started = time.monotonic()
    return recipe.strategy.fit(job), time.monotonic() - started


def _checkpoint(recipe: Recipe, resumed: RunFolder | None) -> Path | None:
    said = recipe.training.get("resume_from_checkpoint")
    return resumed.checkpoint_at(str(said)) if resumed else None


def _evidence(prepared: Prepared, fitted: "Fitted", seconds: float) -> Evidence:
    """Score validation, then test: the one time that test is looked at."""
    recipe, labels, scorer = prepared.recipe, prepared.data.labels, prepared.scorer
    task, processor = recipe.task, prepared.checkpoint.processor
    options = training_arguments.forward_options(prepared.arguments())
    predictions: dict[str, Predictions] = {}
    scores: dict[str, dict[str, float]] = {}
    floor: dict[str, dict[str, float]] = {}
    for split in [name for name in ("validation", "test") if name in prepared.encoded]:
        targets, rows = prepared.targets[split], prepared.encoded[split]
        kept = fitted.output.run(
            rows, prepared.collate, task.read, title=f"predicting {split}", **options
        )
        predicted = evaluation.predict(task, kept, rows, processor, labels)
        predictions[split] = Predictions(kept, predicted, targets)
        scores[split] = scorer(predicted, targets)
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
    )
