"""A Trainer with all that a job asks for: optimizer, progress, unfreezing, early stopping."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pipelines.core.errors import RecipeError
from pipelines.core.sharding import sharding_key
from pipelines.core.upstream import let_cpus_shard
from pipelines.training import whole_model
from pipelines.training.job import Job
from pipelines.training.progress import Progress
from pipelines.training.setup import Setup
from pipelines.training.stages import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing


def build_trainer(job: Job, setup: Setup, stack: ExitStack) -> "GraftTrainer":
    """Build the Trainer of `job` and give it all that trains and stops the model of `setup`.

    Args:
        stack: closes what is open while training, such as the live progress.

    Raises:
        RecipeError: the Trainer refuses the arguments, or the optimizer cannot be built.
    """
    from pipelines.training.optimizer import build_optimizer
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing

    plan = Plan(setup.stages) if setup.stages else None
    if sharding_key(job.arguments) == "fsdp":
        let_cpus_shard()
    try:
        trainer = GraftTrainer(job, setup)
    except (ImportError, RuntimeError, ValueError) as error:  # `report_to`: not installed, say
        raise RecipeError(f"training: {str(error).strip()}") from error
    if trainer.is_fsdp_enabled:
        whole_model.shard_by_block(trainer, setup.anatomy)
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
