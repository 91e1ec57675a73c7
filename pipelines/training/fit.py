"""Train by gradient steps with `transformers.Trainer`, in the shortest time."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hardware, processes
from pipelines.core.console import busy, say
from pipelines.core.errors import Interrupted
from pipelines.core.sharding import sharding_key
from pipelines.training import whole_model
from pipelines.training.checkpoint_files import require_best
from pipelines.training.fitted import Fitted
from pipelines.training.job import Job
from pipelines.training.preconditions import check_adaptation, decide_frozen_blocks
from pipelines.training.progress import Progress, naming_step
from pipelines.training.setup import Setup
from pipelines.training.speed import SpeedDecision
from pipelines.training.trainer_setup import build_trainer

if TYPE_CHECKING:
    from pipelines.training.trainer import GraftTrainer


def fit(job: Job, setup: Setup) -> Fitted:
    """Train the model of `setup` on `job`; keep the weights with the best validation metric.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
        RecipeError: the Trainer refuses the arguments, or `speed` says `on` where that cannot be.
    """
    from pipelines.models.anatomy import count, stay_in_eval
    from pipelines.models.output.plain import PlainModel
    from pipelines.training import batch_parts
    from pipelines.training.averaging import wise_ft

    if setup.target_scale:
        job = job.standardized(setup.target_scale)
    if job.adaptation:
        check_adaptation(job, setup.anatomy)
        job = job.with_loss
    if job.finds_batch_size:
        batch_parts.check(job)
    # a copy, and now: training changes these weights in place
    start = wise_ft.state(job.checkpoint.model) if job.averaging.wise_ft else None
    trainable, _ = count(setup.model)
    outline = whole_model.outline(setup.model) if sharding_key(job.arguments) else None
    hooks = stay_in_eval(setup.model, [*setup.frozen, *_without_statistics(job, setup.model)])
    progress = Progress.at(job.resume_from)
    try:
        trainer, decisions, waited = _train(job, setup, progress)
    finally:
        for hook in hooks:
            hook.remove()
    is_whole = outline is None or not trainer.is_sharded
    trained = _unwrapped(trainer) if is_whole else whole_model.fill(outline, trainer)
    output = setup.output(trained)
    chosen, history = _log(job, trainer, progress)
    if start:
        chosen["alpha"], entries = wise_ft.interpolate(output.model, start, job)
        history = [*history, *entries]
    if setup.target_scale:
        assert isinstance(output, PlainModel)  # an adapter's is one, too
        setup.target_scale.fold(output.output_layer)
    hardware.set_memory_format(output.model, channels_last=False)
    before = progress.seconds
    return Fitted(
        output, history, trainable, chosen, waited, seconds_before=before, speed=decisions
    )


def _train(
    job: Job, setup: Setup, progress: Progress
) -> "tuple[GraftTrainer, tuple[SpeedDecision, ...], float]":
    """Train until the end or a signal; returns the share of the time that waited for data, too.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
        RunError: the checkpoint with the best weights so far is gone or damaged.
    """
    from pipelines.training.callbacks import StopOnSignal, WaitingTime
    from pipelines.training.going_on import Continuation, NoteFiles

    keeps_best = job.arguments.load_best_model_at_end
    if job.resume_from and keeps_best:
        require_best(job.resume_from.parent, progress.best_step)
    stop, waiting = StopOnSignal(), WaitingTime(progress.waited, progress.seconds)
    with ExitStack() as stack:
        trainer, decisions = _prepare(job, setup, stack)
        trainer.add_callback(stop)
        trainer.add_callback(waiting)
        trainer.add_callback(NoteFiles())
        if progress.max_steps is not None:
            callbacks = trainer.callback_handler.callbacks
            early = job.early_stopping if keeps_best else None
            patience = early.patience if early else None
            trainer.add_callback(Continuation(progress, job.resume_from, callbacks, patience))
        stack.enter_context(stop)
        with naming_step(trainer):
            trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
        waited = waiting.seconds / waiting.elapsed
    if stop.stopped_by:
        raise Interrupted(f"stopped by {stop.stopped_by} at step {trainer.state.global_step}")
    best = trainer.state.best_model_checkpoint
    if keeps_best and best and processes.is_main():
        require_best(Path(best).parent, trainer.state.best_global_step)
    return trainer, decisions, waited


def _unwrapped(trainer: "GraftTrainer") -> Any:
    """Return the trained model, in every process with the same weights and buffers."""
    # mixed precision is a wrapper around `forward`: the result computes in float32
    trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    processes.share_weights(trained)
    return trained


def _log(
    job: Job, trainer: "GraftTrainer", progress: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the step whose weights were kept, and the log, with the time before a resume in it."""
    state = trainer.state
    best = state.best_global_step if job.arguments.load_best_model_at_end else None
    history = [
        {**entry, "train_runtime": entry["train_runtime"] + progress.seconds}
        if "train_runtime" in entry  # which closes the log of a training
        else entry
        for entry in state.log_history
    ]
    return {"step": best or state.global_step}, history


def _without_statistics(job: Job, model: Any) -> list[str]:
    """Name the batch normalization that would take its statistics from single rows.

    Also print whose statistics are evaluated and saved where several processes have their own.
    """
    from pipelines.models.anatomy import trainable_batch_norms

    names, num_rows = trainable_batch_norms(model), job.arguments.train_batch_size
    if names and num_rows == 1:
        say(
            "batches of one row have no statistics: batch normalization keeps those of the "
            "checkpoint; with training.per_device_train_batch_size=8 or more it learns them"
        )
        return names
    if names and processes.num_processes() > 1:
        say(
            f"batch normalization normalizes the {num_rows} rows of each process by themselves; "
            "the running statistics of the main one are evaluated and saved"
        )
    return []


def _prepare(
    job: Job, setup: Setup, stack: ExitStack
) -> "tuple[GraftTrainer, tuple[SpeedDecision, ...]]":
    """Build the Trainer, and decide on every switch of `speed` for as long as `stack` is open."""
    from pipelines.training.speed.length_buckets import decide_buckets
    from pipelines.training.speed.packing import packed_if_supported

    # a switch that is refused needs no Trainer
    frozen_blocks = decide_frozen_blocks(job)
    with busy("trying how batches are computed fastest"):
        trainer = build_trainer(job, setup, stack)
        model: Any = trainer.model
        packing = stack.enter_context(packed_if_supported(job, model, setup.anatomy))
        buckets = decide_buckets(job, model, packing, is_sharded=trainer.is_sharded)
    trainer.uses_buckets = buckets.on
    decisions = (packing, buckets, frozen_blocks)
    for decision in decisions:
        say(str(decision))
    return trainer, decisions
