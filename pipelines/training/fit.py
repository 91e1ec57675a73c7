"""Train by gradient steps with `transformers.Trainer`, and bring home what was trained."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.core import hardware
from pipelines.core.errors import Interrupted, RecipeError
from pipelines.training.job import Fitted, Job, Setup
from pipelines.training.stages import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing


def fit(job: Job, setup: Setup) -> Fitted:
    """Train the model of `setup` on `job`; keep the weights with the best validation metric.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
        RecipeError: the Trainer refuses the arguments.
    """
    from pipelines.models.anatomy import count, stay_in_eval
    from pipelines.training.averaging import wise_ft
    from pipelines.training.callbacks import StopOnSignal
    from pipelines.training.speed import dropout, packing
    from pipelines.training.speed import sparse_embeddings as vocabulary

    model = setup.model
    start = wise_ft.state(job.checkpoint.model) if job.averaging.wise_ft else None
    trainable, _ = count(model)
    hooks = stay_in_eval(model, setup.frozen)
    stop = StopOnSignal()
    with (
        vocabulary.shrink_embeddings(job, model),
        dropout.fast_dropout(model, job.arguments.device),
    ):
        trainer = _trainer(job, setup)
        trainer.add_callback(stop)
        started = time.perf_counter()
        packed = packing.packed_if_supported(job, trainer.model, setup.anatomy)
        with stop, packed as trainer.packs:
            trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
        waited = trainer.waited / (time.perf_counter() - started)
    for hook in hooks:
        hook.remove()
    state = trainer.state
    if stop.stopped_by:
        raise Interrupted(f"stopped by {stop.stopped_by} at step {state.global_step}")
    # mixed precision is a wrapper around `forward`: what is kept computes in float32
    trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    best = state.best_global_step if job.arguments.load_best_model_at_end else None
    chosen: dict[str, Any] = {"step": best or state.global_step}
    output = setup.output(trained)
    history = state.log_history
    if start:
        chosen["alpha"], tried = wise_ft.interpolate(output.model, start, job)
        history = [*history, *tried]
    hardware.set_memory_format(output.model, channels_last=False)
    return Fitted(output, history, trainable, chosen, waited)


def _trainer(job: Job, setup: Setup) -> "GraftTrainer":
    from transformers import PrinterCallback

    from pipelines.training.callbacks import PlainLogger
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing

    plan = Plan(setup.stages) if setup.stages else None
    try:
        trainer = GraftTrainer(job, setup, plan)
    except (ImportError, RuntimeError, ValueError) as error:  # `report_to`: not installed, say
        raise RecipeError(f"training: {str(error).strip()}") from error
    if job.arguments.disable_tqdm:
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(PlainLogger())
    unfreezing = Unfreezing(setup.model, setup.anatomy, plan) if plan else None
    if unfreezing:
        trainer.add_callback(unfreezing)
    for callback in (*_early_stopping(job, unfreezing), *job.callbacks):
        trainer.add_callback(callback)
    return trainer


def _early_stopping(job: Job, unfreezing: "Unfreezing | None") -> Iterator["TrainerCallback"]:
    """What makes it wait, then what stops."""
    from transformers import EarlyStoppingCallback

    from pipelines.training.callbacks import DelayedEarlyStopping, beats

    early = job.early_stopping
    if not early or not job.arguments.load_best_model_at_end:
        return
    stopping = EarlyStoppingCallback(early.patience, early.threshold)
    if job.task.starts_at_baseline and job.arguments.metric_for_best_model == job.scorer.main:
        yield DelayedEarlyStopping(stopping, beats(job.baseline[job.scorer.main]))
    if unfreezing:
        yield DelayedEarlyStopping(stopping, unfreezing.is_last)
    yield stopping
