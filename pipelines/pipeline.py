"""The whole story of a run, top to bottom."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import console, data, evaluation, hub, model, report, trainer
from pipelines.augmentations import Varied
from pipelines.console import say
from pipelines.data import findings
from pipelines.errors import ModelError
from pipelines.losses import CrossEntropy
from pipelines.output import reload
from pipelines.recipe import Recipe
from pipelines.report import card, lock, parity
from pipelines.report.evidence import Evidence, Predictions
from pipelines.report.run_folder import RunFolder

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.data.findings import Findings
    from pipelines.evaluation import Scorer
    from pipelines.model import Checkpoint
    from pipelines.trainer import Collate, Fitted


@dataclass(frozen=True)
class Prepared:
    """A recipe with everything loaded that it names: ready to train, or to look at."""

    recipe: Recipe
    data: "Data"
    checkpoint: "Checkpoint"
    scorer: "Scorer"
    encoded: dict[str, Any]  # split -> rows of model inputs
    targets: dict[str, list[Any]]
    findings: "Findings"
    stream: Any | None = None  # all of train, encoded as it flows by

    @property
    def collate(self) -> "Collate":
        """Rows -> batch."""
        return self.recipe.task.collator(self.checkpoint.processor)

    @property
    def collate_train(self) -> "Collate":
        """Rows -> batch to train on, augmented as a whole where the recipe says so."""
        collate = self.recipe.task.collator(self.checkpoint.processor, training=True)
        vary = self._vary_batch
        return Varied(collate, vary) if vary else collate

    @property
    def loss(self) -> Callable[..., Any] | None:
        """Another loss than the model's own, which knows no weights and no mixed labels."""
        loss = self.recipe.task.loss(self.targets["train"], self.data.labels)
        if loss is None and self._vary_batch:
            loss = CrossEntropy()
        smoothing = self.recipe.training.get("label_smoothing_factor") or 0.0
        if smoothing and isinstance(loss, CrossEntropy):  # the Trainer smooths the model's own
            return replace(loss, label_smoothing=smoothing)
        return loss

    @property
    def _vary_batch(self) -> Callable[[Any], Any] | None:
        augmentation = self.recipe.augmentation
        return augmentation.batch(self.data.labels) if augmentation else None


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
    predict = reload(folder.model, fitted.output.library, recipe.task, prepared.data.labels)
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


def prepare(recipe: Recipe) -> Prepared:
    """Load data and checkpoint, and encode every split; nothing is trained or written."""
    from transformers import set_seed

    console.settle(recipe.training)
    loaded = data.load(recipe.data, recipe.task, recipe.seed)
    for note in loaded.notes:
        say(note)
    scorer = evaluation.Scorer(recipe.metrics, recipe.task, loaded.labels)
    if recipe.augmentation:
        recipe.augmentation.batch(loaded.labels)  # refused before the checkpoint is loaded
    set_seed(recipe.seed)  # the new head's weights
    checkpoint = model.load(
        recipe.model, recipe.task, loaded.labels, pretrained=recipe.strategy.pretrained
    )
    loaded = _fitting(recipe, loaded, checkpoint)
    encoded, targets = _encode(recipe, loaded, checkpoint.processor)
    stream = loaded.stream and recipe.task.encode(
        loaded.stream, checkpoint.processor, loaded.labels, recipe.augmentation
    )
    complete = recipe.replace(training=_training(recipe, checkpoint, streamed=stream is not None))
    trainer.arguments(complete.training, scorer, Path())  # refused before anything is written
    found = console.from_main(
        lambda: findings.find(loaded, recipe.task, encoded, targets, checkpoint.processor)
    )
    return Prepared(complete, loaded, checkpoint, scorer, encoded, targets, found, stream)


def _fitting(recipe: Recipe, loaded: "Data", checkpoint: "Checkpoint") -> "Data":
    """The rows that this model can take; says which ones it cannot."""
    processor, config = checkpoint.processor, checkpoint.model.config
    skip = recipe.data.on_bad_row == "skip"
    fitting = data.fitting(loaded, recipe.task, processor, config, skip=skip)
    for note in fitting.notes[len(loaded.notes) :]:
        say(note)
    return fitting


def _encode(
    recipe: Recipe, loaded: "Data", processor: Any
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """(split -> rows of model inputs, split -> targets); only train is augmented."""
    task, labels = recipe.task, loaded.labels
    encoded, targets = {}, {}
    with console.main_first():
        for split, rows in loaded.splits.items():
            augmentation = recipe.augmentation if split == "train" else None
            encoded[split] = task.encode(rows, processor, labels, augmentation)
            targets[split] = task.targets(rows, encoded[split], labels)
    return encoded, targets


def _training(recipe: Recipe, checkpoint: "Checkpoint", *, streamed: bool) -> dict[str, Any]:
    """The strategy's published defaults under what the recipe says: what the run folder records."""
    from pipelines.anatomy import dissect

    anatomy = dissect(checkpoint.model, checkpoint.fresh)
    defaults = recipe.strategy.training_defaults(recipe.task.modality, anatomy)
    defaults |= trainer.STREAMED if streamed else {}
    return {"seed": recipe.seed, **defaults, **recipe.training}


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
    arguments = trainer.arguments(recipe.training, prepared.scorer, folder.checkpoints)
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
    )
    of_a_stream = " of a stream" if prepared.stream is not None else ""
    say(
        f"{folder}: {recipe.strategy.name} on {_num_examples(prepared):,} examples{of_a_stream}, "
        f"{console.num_processes()} x {arguments.device.type}"
    )
    started = time.monotonic()
    return recipe.strategy.fit(job), time.monotonic() - started


def _num_examples(prepared: Prepared) -> int:
    """How many examples there are to train on; of a stream, how many will have been seen."""
    if prepared.stream is None:
        return len(prepared.targets["train"])
    arguments = trainer.arguments(prepared.recipe.training, prepared.scorer, Path())
    steps = arguments.max_steps * arguments.gradient_accumulation_steps
    return steps * arguments.train_batch_size * console.num_processes()


def _checkpoint(recipe: Recipe, resumed: RunFolder | None) -> Path | None:
    said = recipe.training.get("resume_from_checkpoint")
    return resumed.checkpoint_at(str(said)) if resumed else None


def _evidence(prepared: Prepared, fitted: "Fitted", seconds: float) -> Evidence:
    """Score validation, then test: the one time that test is looked at."""
    recipe, labels, scorer = prepared.recipe, prepared.data.labels, prepared.scorer
    task, processor = recipe.task, prepared.checkpoint.processor
    predictions: dict[str, Predictions] = {}
    scores: dict[str, dict[str, float]] = {}
    floor: dict[str, dict[str, float]] = {}
    for split in [name for name in ("validation", "test") if name in prepared.encoded]:
        targets, rows = prepared.targets[split], prepared.encoded[split]
        title = f"predicting {split}"
        kept = fitted.output.run(rows, prepared.collate, task.read, title=title)
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
        parameters=sum(p.numel() for p in fitted.output.model.parameters()),
        trainable=fitted.trainable,
        seconds=seconds,
        examples={
            split: _num_examples(prepared) if split == "train" else len(targets)
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
