"""`transformers.Trainer` with the few methods that Graft changes.

Imported when training starts: it needs transformers' Trainer at hand.
"""

import time
from collections.abc import Sized
from contextlib import nullcontext
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import RandomSampler, SequentialSampler
from transformers import Trainer
from transformers.trainer_utils import speed_metrics

from pipelines.core import processes
from pipelines.core.errors import RecipeError
from pipelines.core.labels import IGNORED
from pipelines.core.upstream import is_batch_norm, length_grouped_sampler
from pipelines.models import forward
from pipelines.tasks.encoding import LENGTHS
from pipelines.training.adaptation_term import AdaptationTerm
from pipelines.training.averaging.ema import Ema
from pipelines.training.balanced_sampler import BalancedSampler
from pipelines.training.finite_steps import FiniteSteps
from pipelines.training.regularization import Anchor, require_dropout, symmetric_kl
from pipelines.training.speed.length_buckets import overhead_tokens, split_by_length

if TYPE_CHECKING:
    from pipelines.training.job import Job, LabeledRows, Setup


class GraftTrainer(Trainer):
    """Trainer of a job: steps in length buckets, regularized losses, scores as of predictions.

    Attributes:
        setup: the model, and how its strategy trains it.
        uses_buckets: whether steps are computed bucket by bucket; `fit` sets it.
        adaptation: the term that compares source and target; None: there is no target.
        ema: the mean of the weights, which is evaluated and saved beside them; None: without.
        share: the weight in its batch of the bucket that is being computed.
    """

    def __init__(self, job: "Job", setup: "Setup") -> None:
        model, checkpoint = setup.model, job.checkpoint
        super().__init__(
            model=model,
            args=job.arguments,
            train_dataset=job.train,
            eval_dataset=job.labeled_validation,
            data_collator=job.collate_train,
            compute_loss_func=job.loss,
        )
        # the models' losses are means over a batch, which the Trainer takes for sums divided by the
        # number of items in a step: accumulation or a second process would inflate them
        if hasattr(Trainer, "loss_is_scaled_for_ga"):
            self.loss_is_scaled_for_ga = job.loss is not None
        else:  # older transformers that pyproject allows
            self.model_accepts_loss_kwargs = False
        self.job, self.setup = job, setup
        self.uses_buckets, self.share = False, 1.0
        self.overhead = overhead_tokens(model, self.args.device.type)
        self.anchor = None
        if job.regularization.l2_sp:
            named = checkpoint.model.named_parameters()
            self.anchor = Anchor(p for n, p in named if n not in checkpoint.newly_initialized)
        if job.regularization.r_drop:
            require_dropout(model)
        self.adaptation = AdaptationTerm(job, setup, self.args) if job.adaptation else None
        if self.adaptation:
            self.add_callback(self.adaptation)
        decay = job.averaging.ema
        self.ema = Ema(model, decay, job.resume_from) if decay else None
        if self.ema:
            self.add_callback(self.ema)
        if not (self.args.fp16 or self.is_sharded):  # a scaler looks itself; shards differ
            self.add_callback(FiniteSteps())

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
        """Balance classes, or group by the lengths that rows have.

        For these upstream looks in a column, row by row. The last row of an epoch gets company
        where it would be a batch of its own.
        """
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        if self.job.row_groups is not None:
            seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
            num_rows = len(rows) + self._ends_with_one(len(rows))
            return BalancedSampler(self.job.row_groups, num_rows, seed)
        if self.args.train_sampling_strategy != "group_by_length":
            sampler = super()._get_train_sampler(train_dataset)
            if not isinstance(sampler, Sized) or not self._ends_with_one(len(sampler)):
                return sampler
            if type(sampler) is RandomSampler:
                return RandomSampler(rows, num_samples=len(sampler) + 1)
            return [*sampler, 0] if type(sampler) is SequentialSampler else sampler
        lengths = forward.lengths(rows)
        if lengths is None:
            raise RecipeError(
                "training.train_sampling_strategy: group_by_length: all rows are of one length; "
                "leave it out"
            )
        # of a whole step: the order does not depend on how processes divide it
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps
        size *= self.args.world_size
        return length_grouped_sampler(size, lengths.tolist())

    def _ends_with_one(self, num_rows: int) -> bool:
        """Whether an epoch ends in a batch of one row, which batch normalization cannot take."""
        arguments = self.args
        size = arguments.train_batch_size
        is_cut_off = arguments.dataloader_drop_last or arguments.world_size > 1  # or filled up
        is_single = size > 1 and num_rows > 1 and num_rows % size == 1
        return is_single and not is_cut_off and any(map(is_batch_norm, self.setup.model.modules()))

    # Steps

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Run forward and backward on each bucket of a batch, as long as its own rows."""
        buckets = split_by_length(inputs, self.overhead) if self.uses_buckets else []
        counts = [self._num_loss_terms(bucket) for bucket in buckets]
        if len(buckets) <= 1 or not any(counts):
            inputs.pop(LENGTHS, None)
            return super().training_step(model, inputs, num_items_in_batch)
        # the mean of N terms is the sum over buckets of n / N times the bucket's mean; so is its
        # gradient, so that the step is that of the whole batch
        weighted = [(b, n / sum(counts)) for b, n in zip(buckets, counts, strict=True) if n]
        loss = torch.zeros((), device=self.args.device)
        for number, (bucket, share) in enumerate(weighted, 1):
            self.share = share
            # processes add their gradients up once
            with nullcontext() if number == len(weighted) else self.accelerator.no_sync(model):
                loss += super().training_step(model, bucket, num_items_in_batch)
        self.share = 1.0
        return loss

    def _num_loss_terms(self, bucket: dict[str, Any]) -> int:
        """Count the terms that the loss of a bucket is the mean of."""
        if self.job.task.loss_unit == "token":
            return int((bucket["labels"] != IGNORED).sum())
        return len(next(iter(bucket.values())))

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss of the task, and add the terms of `regularization` and `adaptation`."""
        # the Trainer counts items for losses of the model's own, too, which do not divide by them
        num_items = num_items_in_batch if self.compute_loss_func else None
        observed = self.adaptation.around(model) if self.adaptation else model
        loss, outputs = self._task_loss(observed, inputs, num_items)
        section = self.job.regularization
        if section.r_drop:
            again, others = self._task_loss(model, inputs, num_items)
            labels = inputs["labels"]
            divergence = symmetric_kl(outputs["logits"], others["logits"], labels)
            share: Any = self.share
            if num_items is not None:  # the loss is a sum over all that the step holds
                share = (labels != IGNORED).sum() / num_items * self.accelerator.num_processes
            loss = (loss + again) / 2 + section.r_drop * share * divergence
        # upstream divides the model's own loss by the batches of a step, but no other loss
        batches = self.current_gradient_accumulation_steps if self.compute_loss_func else 1
        if self.adaptation:
            loss = loss + self.adaptation.loss() / batches
        if self.anchor:
            loss = loss + section.l2_sp * self.share * self.anchor() / batches
        return (loss, outputs) if return_outputs else loss

    def _task_loss(self, model: Any, inputs: Any, num_items: Any) -> tuple[Any, Any]:
        """Compute (task loss of a bucket, weighted by its share of the batch; outputs).

        With `num_items` the loss is a sum already, divided by what the whole step holds.
        """
        loss, outputs = super().compute_loss(model, {**inputs}, True, num_items)
        return loss if num_items is not None else loss * self.share, outputs

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
            scores = self._score(data)
            if self.adaptation and eval_dataset is None:
                scores["target_information"] = self.adaptation.information(self.model)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        steps = ceil(len(data) / (self.args.eval_batch_size * self.args.world_size))
        metrics |= speed_metrics(metric_key_prefix, started, len(data), steps)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _score(self, data: "LabeledRows") -> dict[str, Any]:
        """Compute loss and scores of the model as it is."""
        job = self.job

        def collect(outputs: Any, batch: dict[str, Any]) -> dict[str, Any]:
            loss = outputs.loss if job.loss is None else job.loss(outputs, batch["labels"])
            num_rows = len(next(iter(batch.values())))
            # each row stands for its share of the batch, so that each token or row counts once
            terms = loss.new_full((num_rows,), self._num_loss_terms(batch) / num_rows)
            return {"loss": loss * terms, "terms": terms, **job.task.collect(outputs, batch)}

        outputs = forward.run(
            self.model,
            data.rows,
            job.collate,
            collect,
            with_labels=job.loss is None,  # another loss is there because the model's would fail
            **job.forward_options,
        )
        total, num_terms = (float(outputs.pop(name).sum(dtype=float)) for name in ("loss", "terms"))
        return {"loss": total / max(1.0, num_terms), **job.score(outputs, data)}

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
