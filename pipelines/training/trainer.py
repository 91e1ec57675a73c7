"""`transformers.Trainer` with the few methods that Graft changes.

Imported when training starts: it needs transformers' Trainer at hand.
"""

import time
from contextlib import nullcontext
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from transformers.trainer_utils import speed_metrics

from pipelines.core import processes
from pipelines.core.upstream import is_batch_norm
from pipelines.training import pieces, row_order
from pipelines.training.averaging.ema import Ema
from pipelines.training.batch_parts import BatchParts
from pipelines.training.composed_loss import ComposedLossTrainer
from pipelines.training.finite_steps import FiniteSteps
from pipelines.training.progress import Progress
from pipelines.training.scored_pass import score
from pipelines.training.speed.length_buckets import overhead_tokens

if TYPE_CHECKING:
    from pipelines.training.job import Job, LabeledRows
    from pipelines.training.setup import Setup


class GraftTrainer(ComposedLossTrainer):
    """Trainer of a job: steps in length buckets, scores as of predictions.

    Attributes:
        setup: the model, and how its strategy trains it.
        uses_buckets: whether steps are computed bucket by bucket; `fit` sets it.
        ema: the mean of the weights, which is evaluated and saved beside them; None: without.
        finite: leaves out steps whose gradients are not finite.
        parts: those of a batch, where memory decides on them; None: a batch is one.
    """

    def __init__(self, job: "Job", setup: "Setup") -> None:
        super().__init__(job, setup)
        self.setup, self.uses_buckets = setup, False
        parts = Progress.at(job.resume_from).batch_parts
        self.parts = BatchParts(parts) if job.finds_batch_size else None
        self.overhead = overhead_tokens(setup.model, self.args.device.type)
        decay = job.averaging.ema
        self.ema = Ema(setup.model, decay, job.resume_from) if decay else None
        for callback in filter(None, (self.ema, self.parts)):
            self.add_callback(callback)
        self.finite = FiniteSteps(is_scaled=self.args.fp16, is_sharded=self.is_sharded)
        self.add_callback(self.finite)

    @property
    def is_sharded(self) -> bool:
        """Whether FSDP or DeepSpeed spread the weights over processes."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Name the parameters that decay: matrices and kernels.

        Upstream goes by patterns of names, which miss the scales of BatchNorm.
        """
        return [name for name, p in model.named_parameters() if p.ndim > 1]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Balance classes, or group rows by length, or draw them as upstream does."""
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        has_batch_norm = any(map(is_batch_norm, self.setup.model.modules()))
        if self.job.row_groups is not None:
            num_added = int(has_batch_norm and row_order.ends_with_one(len(rows), self.args))
            return row_order.balanced(self.job.row_groups, len(rows) + num_added, self.args)
        if self.args.train_sampling_strategy == "group_by_length":
            return row_order.by_length(rows, self.args)
        sampler = super()._get_train_sampler(train_dataset)
        return row_order.completed(sampler, rows, self.args) if has_batch_norm else sampler

    # Steps

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        """Train an epoch, unless there is none to train: upstream notices after a step."""
        if not self.control.should_training_stop:
            super()._run_epoch(*args, **kwargs)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Run forward and backward on each piece of a batch: of its length, or for its memory."""

        def compute(num_parts: int) -> torch.Tensor:
            return self._step_of_parts(model, inputs, num_parts, num_items_in_batch)

        if self.parts is None:
            return self.finite.counted(compute(1))
        num_rows = pieces.num_rows(inputs)
        return self.finite.counted(self.parts.compute(model, num_rows, compute, self.accelerator))

    def _step_of_parts(
        self, model: Any, inputs: dict[str, Any], num_parts: int, num_items: Any
    ) -> torch.Tensor:
        """Run forward and backward on a batch in parts, each in buckets as long as their rows."""
        overhead = self.overhead if self.uses_buckets else None
        weighted = pieces.weighted(inputs, self.job.task, num_parts, overhead)
        loss = torch.zeros((), device=self.args.device)
        try:
            for number, (piece, share) in enumerate(weighted, 1):
                self.share = share
                # processes add their gradients up once
                with nullcontext() if number == len(weighted) else self.accelerator.no_sync(model):
                    loss += super().training_step(model, piece, num_items)
        finally:
            self.share = 1.0
        return loss

    # Evaluation and checkpoints

    def evaluate(
        self,
        eval_dataset: "LabeledRows | None" = None,  # type: ignore[override]  # rows with targets
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Log loss and scores on `eval_dataset`, or on validation.

        The pass is the same as for predictions: rows sorted by length, however training samples
        them, and outputs collected by the task.
        """
        started = time.time()
        data: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        with (
            self.ema.applied() if self.ema else nullcontext(),
            # weights that are spread over processes cannot be merged in place
            nullcontext() if self.is_sharded else self.setup.evaluating(self.model),
        ):
            processes.share_buffers(self.model)
            scores: dict[str, Any] = score(self.model, data, self.job)
            if eval_dataset is None:
                scores |= self._scores_of_target()
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        steps = ceil(len(data) / (self.args.eval_batch_size * self.args.world_size))
        metrics |= speed_metrics(metric_key_prefix, started, len(data), steps)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _scores_of_target(self) -> dict[str, Any]:
        """Measure the target domain: without its labels, and by them where that is asked for."""
        scores, main = {}, self.job.scorer.main
        if self.adaptation:
            scores["target_information"] = self.adaptation.information(self.model)
        if self.job.oracle:
            scores[f"target_{main}"] = score(self.model, self.job.oracle, self.job)[main]
        return scores

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log a loss that tells of steps without one."""
        super().log(self.finite.corrected(logs), start_time)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the mean of the weights beside them, and what trains beside the model.

        Not in `on_save`: that comes after trainer_state.json, by which a checkpoint counts as
        complete.
        """
        super().save_model(output_dir, _internal_call)
        if self.ema and output_dir and self.args.should_save:
            self.ema.save(output_dir)
        if self.adaptation and output_dir and self.args.should_save:
            self.adaptation.save(output_dir)
