"""`transformers.Trainer`, composed: arguments, repairs, and what training gives back."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hardware
from pipelines.core.errors import Interrupted, RecipeError
from pipelines.training.stages import Plan

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments

    from pipelines.core.labels import Labels
    from pipelines.evaluation.scorer import Scorer
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output
    from pipelines.recipe import EarlyStopping
    from pipelines.strategies import Strategy
    from pipelines.tasks import Answers, ModelOutputs, Task
    from pipelines.training.averaging import Averaging
    from pipelines.training.regularization import Regularization
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing

Collate = Callable[[list[Any]], dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """Everything that a strategy needs to fit a checkpoint to a task.

    Attributes:
        collate_train: puts together a batch to train on; what it draws it draws anew each time.
        loss: `loss(outputs, labels, num_items_in_batch)` instead of the model's own.
        varies: whether an example is another one each time that it is trained on.
        regularization: what is added to the loss.
        averaging: of which weights the result is a mean.
        callbacks: what else is to happen while the Trainer trains.
    """

    task: "Task"
    checkpoint: "Checkpoint"
    labels: "Labels"
    train: Any  # encoded rows
    validation: Any
    train_targets: list[Any]
    validation_targets: list[Any]
    collate: Collate
    collate_train: Collate
    scorer: "Scorer"
    loss: Callable[..., Any] | None
    arguments: "TrainingArguments"
    early_stopping: "EarlyStopping | None"
    regularization: "Regularization"
    averaging: "Averaging"
    resume_from: Path | None = None
    varies: bool = False
    callbacks: "tuple[TrainerCallback, ...]" = ()

    def score(self, kept: "ModelOutputs") -> dict[str, float]:
        """The scores of what was kept of a pass over validation."""
        return self.scorer(self._predictions(kept), self.validation_targets)

    def main_score(self, kept: "ModelOutputs") -> float:
        """The one by which validation chooses, and no other."""
        return self.scorer.choose_by(self._predictions(kept), self.validation_targets)

    def _predictions(self, kept: "ModelOutputs") -> "Answers":
        from pipelines.evaluation.scorer import predict

        return predict(self.task, kept, self.validation, self.checkpoint.processor, self.labels)

    @property
    def baseline(self) -> dict[str, float]:
        """The scores on validation of who never looks at an example."""
        targets = self.validation_targets
        return self.scorer(self.task.baseline(self.train_targets, targets, self.labels), targets)

    @property
    def forward_options(self) -> dict[str, Any]:
        """Batch size and workers for passes without gradients, in float32."""
        from pipelines.training.arguments import forward_options

        return forward_options(self.arguments)

    @property
    def fast_options(self) -> dict[str, Any]:
        """The same in the precision of training: for what is learned from, not for evidence."""
        return {**self.forward_options, "bf16": self.arguments.bf16}


@dataclass(frozen=True)
class Fitted:
    """What training gives back.

    Attributes:
        history: the Trainer's log, or the trials of a solved head.
        trainable: how many parameters trained.
        chosen: what tells the chosen entry of `history` from the others: its step, or a head's
            pooling and regularization.
        waited: the share of training that went by waiting for data.
        temperature: what the logits of `output` were divided by after training, in its weights.
    """

    output: "Output"
    history: list[dict[str, Any]]
    trainable: int
    chosen: dict[str, Any] = field(default_factory=dict)
    waited: float | None = None
    temperature: float | None = None


def fit(strategy: "Strategy", job: Job) -> Fitted:
    """Train by gradient steps; the result is the checkpoint with the best validation metric.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
    """
    from pipelines.models.anatomy import count, dissect, stay_in_eval
    from pipelines.training.averaging import wise_ft
    from pipelines.training.callbacks import StopOnSignal
    from pipelines.training.speed import dropout, packing
    from pipelines.training.speed import sparse_embeddings as vocabulary

    anatomy = dissect(job.checkpoint.model, job.checkpoint.newly_initialized)
    start = wise_ft.state(job.checkpoint.model) if job.averaging.wise_ft else None
    named = job.checkpoint.model.named_parameters()
    pretrained = [
        parameter for name, parameter in named if name not in job.checkpoint.newly_initialized
    ]
    model = strategy.apply(job.checkpoint.model, anatomy)
    trainable, _ = count(model)
    hooks = stay_in_eval(model, strategy.frozen(model, anatomy))
    stop = StopOnSignal()
    with (
        vocabulary.shrink_embeddings(job, model),
        dropout.fast_dropout(model, job.arguments.device),
    ):
        trainer = _trainer(strategy, model, job, anatomy, pretrained)
        trainer.add_callback(stop)
        started = time.perf_counter()
        with stop, packing.packed_if_supported(job, trainer.model, anatomy) as trainer.packs:
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
    output = strategy.output(trained, job.checkpoint)
    history = state.log_history
    if start:
        chosen["alpha"], tried = wise_ft.interpolate(output.model, start, job)
        history = [*history, *tried]
    hardware.set_memory_format(output.model, channels_last=False)
    return Fitted(output, history, trainable, chosen, waited)


def _trainer(
    strategy: "Strategy", model: Any, job: Job, anatomy: "Anatomy", pretrained: list[Any]
) -> "GraftTrainer":
    from transformers import PrinterCallback

    from pipelines.training.callbacks import PlainLogger
    from pipelines.training.trainer import GraftTrainer
    from pipelines.training.unfreezing import Unfreezing

    arguments = job.arguments
    epochs = nan if arguments.max_steps > 0 else arguments.num_train_epochs
    stages = strategy.stages(anatomy, epochs)
    plan = Plan(stages) if stages else None
    try:
        trainer = GraftTrainer(model, job, strategy, anatomy, pretrained, plan)
    except (ImportError, RuntimeError, ValueError) as error:  # `report_to`: not installed, say
        raise RecipeError(f"training: {str(error).strip()}") from error
    if arguments.disable_tqdm:
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(PlainLogger())
    unfreezing = Unfreezing(model, anatomy, plan) if plan else None
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
