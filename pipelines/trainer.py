"""`transformers.Trainer`, composed: arguments, repairs, and what training gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import Interrupted, RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import Trainer, TrainingArguments

    from pipelines.evaluation import Scorer
    from pipelines.labels import Labels
    from pipelines.model import Checkpoint
    from pipelines.output import Output
    from pipelines.recipe import EarlyStopping
    from pipelines.strategies import Strategy
    from pipelines.tasks import Kept, Task

Collate = Callable[[list[Any]], dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """Everything that a strategy needs to fit a checkpoint to a task.

    Attributes:
        collate_train: puts together a batch to train on; what it draws it draws anew each time.
        loss: `loss(outputs, labels, num_items_in_batch)` instead of the model's own.
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
    resume_from: Path | None = None

    def score(self, kept: "Kept") -> dict[str, float]:
        """The scores of what was kept of a pass over validation."""
        from pipelines.evaluation import predict

        processor = self.checkpoint.processor
        predictions = predict(self.task, kept, self.validation, processor, self.labels)
        return self.scorer(predictions, self.validation_targets)

    @property
    def floor(self) -> dict[str, float]:
        """The scores on validation of who never looks at an example."""
        targets = self.validation_targets
        return self.scorer(self.task.floor(self.train_targets, targets, self.labels), targets)

    @property
    def forward_options(self) -> dict[str, Any]:
        """Batch size and workers for passes without gradients."""
        from pipelines.training_arguments import forward_options

        return forward_options(self.arguments)


@dataclass(frozen=True)
class Fitted:
    """What training gives back.

    Attributes:
        history: the Trainer's log, or the trials of a solved head.
        trainable: how many parameters trained.
        chosen: what tells the chosen entry of `history` from the others: its step, or a head's
            pooling and regularisation.
    """

    output: "Output"
    history: list[dict[str, Any]]
    trainable: int
    chosen: dict[str, Any] = field(default_factory=dict)


def fit(strategy: "Strategy", job: Job) -> Fitted:
    """Train by gradient steps; the result is the checkpoint with the best validation metric.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint to resume from was saved.
    """
    from pipelines.anatomy import count, dissect, freeze_statistics
    from pipelines.callbacks import StopOnSignal
    from pipelines.output import PlainModel

    anatomy = dissect(job.checkpoint.model, job.checkpoint.fresh)
    model = strategy.apply(job.checkpoint.model, anatomy)
    trainable, _ = count(model)
    hooks = freeze_statistics(model)
    trainer = _trainer(model, job)
    stop = StopOnSignal()
    trainer.add_callback(stop)
    with stop:
        trainer.train(resume_from_checkpoint=str(job.resume_from) if job.resume_from else None)
    for hook in hooks:
        hook.remove()
    state = trainer.state
    if stop.stopped_by:
        raise Interrupted(f"stopped by {stop.stopped_by} at step {state.global_step}")
    # mixed precision is a wrapper around `forward`: what is kept computes in float32
    trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    best = state.best_global_step if job.arguments.load_best_model_at_end else None
    chosen = {"step": best or state.global_step}
    return Fitted(PlainModel(strategy.merge(trained)), state.log_history, trainable, chosen)


def _trainer(model: Any, job: Job) -> "Trainer":
    from transformers import EarlyStoppingCallback, PrinterCallback

    from pipelines.callbacks import LogLines, PatientAtFloor

    try:
        trainer = _trainer_class(job)(
            model=model,
            args=job.arguments,
            train_dataset=job.train,
            eval_dataset=job.validation,
            data_collator=job.collate_train,
            compute_loss_func=job.loss,
        )
    except (ImportError, RuntimeError, ValueError) as error:  # `report_to`: not installed, say
        raise RecipeError(f"training: {str(error).strip()}") from error
    # the models' losses are means over the batch: without this the Trainer believes that they
    # were divided by the number of items, and accumulation or a second process inflates them
    trainer.model_accepts_loss_kwargs = False
    if job.arguments.disable_tqdm:
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(LogLines())
    early = job.early_stopping
    if early and job.arguments.load_best_model_at_end:
        stopping = EarlyStoppingCallback(early.patience, early.threshold)
        if job.task.starts_at_floor and job.arguments.metric_for_best_model == job.scorer.main:
            trainer.add_callback(PatientAtFloor(stopping, job.floor[job.scorer.main]))
        trainer.add_callback(stopping)
    return trainer


def _trainer_class(job: Job) -> "type[Trainer]":
    from transformers import Trainer
    from transformers.trainer_pt_utils import LengthGroupedSampler
    from transformers.trainer_utils import EvalLoopOutput

    from pipelines import forward

    class GraftTrainer(Trainer):
        """No decay for vectors; evaluation is the pass that predictions come from, too."""

        def get_decay_parameter_names(self, model: Any) -> list[str]:
            """Matrices and kernels only: upstream's name patterns miss BatchNorm scales."""
            return [name for name, p in model.named_parameters() if p.ndim > 1]

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            """Lengths of whatever the rows are: upstream looks for a column, row by row."""
            rows = self.train_dataset if train_dataset is None else train_dataset
            if self.args.train_sampling_strategy != "group_by_length":
                return super()._get_train_sampler(train_dataset)
            lengths = forward.lengths(rows)
            if lengths is None:
                raise RecipeError(
                    "training.train_sampling_strategy: group_by_length: all rows are of one length"
                )
            size = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return LengthGroupedSampler(size, lengths=lengths.tolist())

        def _get_eval_sampler(self, eval_dataset: Any) -> None:
            """Any order will do: `evaluation_loop` has its own."""

        def evaluation_loop(
            self, dataloader: Any, description: str, *_: Any, **options: Any
        ) -> EvalLoopOutput:
            """Sorted by length, whatever the order of training; each row read as its task does."""
            prefix = options.get("metric_key_prefix", "eval")
            self.callback_handler.eval_dataloader = dataloader
            metrics = {f"{prefix}_{k}": v for k, v in _evaluate(self.model, job).items()}
            nothing: Any = None  # scored already
            return EvalLoopOutput(nothing, nothing, metrics, len(job.validation))

    return GraftTrainer


def _evaluate(model: Any, job: Job) -> "Mapping[str, float]":
    """Loss and scores on validation of a model that is being trained."""
    from pipelines import forward

    def read(outputs: Any, batch: dict[str, Any]) -> dict[str, Any]:
        loss = outputs.loss if job.loss is None else job.loss(outputs, batch["labels"])
        num_rows = len(next(iter(batch.values())))
        return {"loss": loss.expand(num_rows), **job.task.read(outputs, batch)}

    kept = forward.run(
        model,
        job.validation,
        job.collate,
        read,
        with_labels=job.loss is None,  # another loss is there because the model's own would fail
        **job.forward_options,
    )
    losses = kept.pop("loss")
    return {"loss": float(losses.mean()), **job.score(kept)}
