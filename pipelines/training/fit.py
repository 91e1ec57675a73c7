"""Train by gradient steps with `transformers.Trainer`, in the shortest time."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pipelines.core import hardware, processes
from pipelines.core.console import busy, say
from pipelines.core.errors import Interrupted, ModelError, RecipeError
from pipelines.training.job import Fitted, Job, Setup
from pipelines.training.progress import Progress, naming_step
from pipelines.training.speed import SpeedDecision, decide
from pipelines.training.stages import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipelines.models.anatomy import Anatomy
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing


def fit(job: Job, setup: Setup) -> Fitted:
    """Train the model of `setup` on `job`; keep the weights with the best validation metric.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
        RecipeError: the Trainer refuses the arguments, or `speed` says `on` where that cannot be.
    """
    from pipelines.models.anatomy import count, stay_in_eval
    from pipelines.models.output.plain import PlainModel
    from pipelines.training.averaging import wise_ft

    if setup.target_scale:
        job = job.standardized(setup.target_scale)
    if job.adaptation:
        check_adaptation(job, setup.anatomy)
        job = job.with_loss
    # a copy, and now: training changes these weights in place
    start = wise_ft.state(job.checkpoint.model) if job.averaging.wise_ft else None
    trainable, _ = count(setup.model)
    hooks = stay_in_eval(setup.model, [*setup.frozen, *_without_statistics(job, setup.model)])
    progress = Progress.at(job.resume_from)
    try:
        trainer, decisions, waited = _train(job, setup, progress)
    finally:
        for hook in hooks:
            hook.remove()
    state = trainer.state
    # mixed precision is a wrapper around `forward`: the result computes in float32
    trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    processes.share_buffers(trained)
    best = state.best_global_step if job.arguments.load_best_model_at_end else None
    chosen: dict[str, Any] = {"step": best or state.global_step}
    output = setup.output(trained)
    history = [_of_whole_training(entry, progress) for entry in state.log_history]
    if start:
        chosen["alpha"], entries = wise_ft.interpolate(output.model, start, job)
        history = [*history, *entries]
    if setup.target_scale:
        assert isinstance(output, PlainModel)  # an adapter's is one, too
        setup.target_scale.fold(output.output_layer)
    hardware.set_memory_format(output.model, channels_last=False)
    return Fitted(
        output,
        history,
        trainable,
        chosen,
        waited,
        seconds_before=progress.seconds,
        speed=decisions,
    )


def _train(
    job: Job, setup: Setup, progress: Progress
) -> "tuple[GraftTrainer, tuple[SpeedDecision, ...], float]":
    """Train until the end or a signal; returns the share of the time that waited for data, too.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
    """
    from pipelines.training.callbacks import Continuation, StopOnSignal, WaitingTime

    stop, waiting = StopOnSignal(), WaitingTime(progress.waited, progress.seconds)
    with ExitStack() as stack:
        trainer, decisions = _prepare(job, setup, stack)
        trainer.add_callback(stop)
        trainer.add_callback(waiting)
        if progress.max_steps is not None:
            trainer.add_callback(Continuation(progress, trainer.callback_handler.callbacks))
        stack.enter_context(stop)
        with naming_step(trainer):
            trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
        waited = waiting.seconds / waiting.elapsed
    if stop.stopped_by:
        raise Interrupted(f"stopped by {stop.stopped_by} at step {trainer.state.global_step}")
    return trainer, decisions, waited


def _of_whole_training(entry: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Add the time before it was resumed to the entry that closes the log of a training."""
    if "train_runtime" not in entry:
        return entry
    return {**entry, "train_runtime": entry["train_runtime"] + progress.seconds}


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


def check_switches(job: Job, anatomy: "Anatomy") -> None:
    """Refuse what `fit` would refuse of the switches that are `on`; nothing trains or is written.

    Raises:
        RecipeError: a switch of `speed` says `on`, and it cannot be done.
    """
    from pipelines.training.speed.length_buckets import decide_buckets
    from pipelines.training.speed.packing import decide_packing

    if job.adaptation:
        check_adaptation(job, anatomy)
    _decide_frozen_blocks(job)
    # the self-test of packing takes time, which `auto` would spend twice
    if "on" in (job.speed.packing, job.speed.length_buckets):
        model, is_sharded = (
            job.checkpoint.model,
            bool(job.arguments.fsdp or job.arguments.deepspeed),
        )
        packing = decide_packing(job, model, anatomy)
        decide_buckets(job, model, packing, is_sharded=is_sharded)


def check_adaptation(job: Job, anatomy: "Anatomy") -> None:
    """Refuse to compare source and target where they cannot be.

    Raises:
        ModelError: no layer maps features to logits.
        RecipeError: there are no rows of the target, or weights are spread over processes.
    """
    assert job.adaptation
    key = f"adaptation.name: '{job.adaptation.name}'"
    if job.target is None or not len(job.target):
        raise RecipeError(f"{key}: there are no rows of the target; name some in data.target")
    if job.arguments.fsdp or job.arguments.deepspeed:
        raise RecipeError(
            f"{key}: two passes make a step, which weights that are spread over processes do not "
            "have; train without FSDP and DeepSpeed, or leave adaptation out"
        )
    if anatomy.output is None:
        raise ModelError(
            f"{key}: {type(job.checkpoint.model).__name__} has no linear layer whose input could "
            "be compared; leave adaptation out"
        )


def _decide_frozen_blocks(job: Job) -> SpeedDecision:
    return job.frozen_blocks or decide(
        job.speed,
        "frozen_blocks",
        lambda: "only top_layers, above frozen blocks, keeps their activations",
    )


def _prepare(
    job: Job, setup: Setup, stack: ExitStack
) -> "tuple[GraftTrainer, tuple[SpeedDecision, ...]]":
    """Build the Trainer, and decide on every switch of `speed` for as long as `stack` is open."""
    from pipelines.training.speed.length_buckets import decide_buckets
    from pipelines.training.speed.packing import packed_if_supported

    # a switch that is refused needs no Trainer
    frozen_blocks = _decide_frozen_blocks(job)
    with busy("trying how batches are computed fastest"):
        trainer = _trainer(job, setup, stack)
        model: Any = trainer.model
        packing = stack.enter_context(packed_if_supported(job, model, setup.anatomy))
        buckets = decide_buckets(job, model, packing, is_sharded=trainer.is_sharded)
    trainer.uses_buckets = buckets.on
    decisions = (packing, buckets, frozen_blocks)
    for decision in decisions:
        say(str(decision))
    return trainer, decisions


def _trainer(job: Job, setup: Setup, stack: ExitStack) -> "GraftTrainer":
    from pipelines.training.optimizer import build_optimizer
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing

    plan = Plan(setup.stages) if setup.stages else None
    try:
        trainer = GraftTrainer(job, setup)
    except (ImportError, RuntimeError, ValueError) as error:  # `report_to`: not installed, say
        raise RecipeError(f"training: {str(error).strip()}") from error
    extra = trainer.adaptation.optimizer_groups() if trainer.adaptation else ()
    build_optimizer(trainer, setup, plan, extra)
    _show_progress(job, trainer, stack)
    unfreezing = Unfreezing(setup.model, setup.anatomy, plan) if plan else None
    if unfreezing:
        trainer.add_callback(unfreezing)
    for callback in (*_early_stopping(job, unfreezing), *job.callbacks):
        trainer.add_callback(callback)
    return trainer


def _show_progress(job: Job, trainer: "GraftTrainer", stack: ExitStack) -> None:
    """Replace the Trainer's raw dictionaries, but in notebooks, where it has a table."""
    from transformers import PrinterCallback, ProgressCallback
    from transformers.utils import is_in_notebook

    from pipelines.training.callbacks import PlainLogger
    from pipelines.training.live_progress import LiveProgress

    if job.arguments.disable_tqdm:
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(PlainLogger())
    elif not is_in_notebook():
        metric = job.scorer.main
        live = LiveProgress(metric, job.baseline.get(metric))
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(live)
        stack.callback(live.stop)


def _early_stopping(job: Job, unfreezing: "Unfreezing | None") -> Iterator["TrainerCallback"]:
    """Yield the callbacks that delay early stopping, then the one that stops."""
    from transformers import EarlyStoppingCallback

    from pipelines.training.callbacks import DelayedEarlyStopping, beats

    early = job.early_stopping
    if not early or not job.arguments.load_best_model_at_end:
        return
    stopping = EarlyStoppingCallback(early.patience, early.threshold)
    # not by upstream, which would bring back the patience of the checkpoint with its count
    stopping.early_stopping_patience_counter = Progress.at(job.resume_from).evaluations
    if job.task.starts_at_baseline and job.arguments.metric_for_best_model == job.scorer.main:
        yield DelayedEarlyStopping(stopping, beats(job.baseline[job.scorer.main]))
    if unfreezing:
        yield DelayedEarlyStopping(stopping, unfreezing.is_last)
    yield stopping
