"""`transformers.Trainer`, repaired: which rows train together, what decays, how it evaluates.

Imported when training starts: it needs transformers' Trainer at hand.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import EvalLoopOutput

from pipelines.core.errors import RecipeError
from pipelines.core.labels import IGNORED
from pipelines.models import forward
from pipelines.tasks.encoding import LENGTHS
from pipelines.training.averaging.ema import Ema
from pipelines.training.regularization import Anchor, require_dropout, symmetric_kl
from pipelines.training.speed import sparse_embeddings as vocabulary
from pipelines.training.speed.length_buckets import cut, overhead_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.training.job import Job, Setup
    from pipelines.training.stages import Plan


class GraftTrainer(Trainer):
    """No decay for vectors; batches without much padding; evaluation is the pass that predictions
    come from, too.

    Attributes:
        setup: the model, and how its strategy trains it.
        plan: the stages of the run, where it has any.
        waited: seconds that training has waited for a batch.
    """

    def __init__(self, job: "Job", setup: "Setup", plan: "Plan | None" = None) -> None:
        model, checkpoint = setup.model, job.checkpoint
        super().__init__(
            model=model,
            args=job.arguments,
            train_dataset=job.train,
            eval_dataset=job.validation,
            data_collator=job.collate_train,
            compute_loss_func=job.loss,
        )
        # the models' losses are means over the batch: without this the Trainer believes that they
        # were divided by the number of items, and accumulation or a second process inflates them
        self.model_accepts_loss_kwargs = False
        self.job, self.setup, self.waited = job, setup, 0.0
        self.plan, self.share = plan, 1.0
        said = job.regularization
        self.anchor = None
        if said.l2_sp:
            named = checkpoint.model.named_parameters()
            self.anchor = Anchor(p for n, p in named if n not in checkpoint.newly_initialized)
        if said.r_drop:
            require_dropout(model)
        decay = job.averaging.ema
        self.ema = Ema(model, decay, job.resume_from) if decay else None
        if self.ema:
            self.add_callback(self.ema)
        # weights that are spread over processes take part in every pass, and statistics in all rows
        gathers = any(isinstance(module, _BatchNorm) for module in model.modules())
        self.packs = False  # whether the model leaves padding out by itself
        self.overhead = overhead_tokens(model, self.args.device.type)
        self.cuts = not (gathers or self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Matrices and kernels only: upstream's name patterns miss BatchNorm scales."""
        return [name for name, p in model.named_parameters() if p.ndim > 1]

    def create_optimizer(self, model: Any = None) -> Any:
        """Upstream's, with a rate for each parameter; logged is that of the first group, so that
        the highest comes first."""
        optimizer = super().create_optimizer(model)
        trained: Any = self.model if model is None else model
        vocabulary.attach_optimizer(trained, optimizer)
        named = trained.named_parameters()
        rates = {id(p): self.setup.lr_multiplier(name) for name, p in named}
        if {*rates.values()} == {1.0}:
            return optimizer
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise RecipeError(
                f"strategy '{self.setup.strategy}' gives layers rates of their own, which sharded "
                "weights have not; use full or lora, or train without FSDP and DeepSpeed"
            )
        groups = [part for group in optimizer.param_groups for part in _by_rate(group, rates)]
        optimizer.param_groups[:] = sorted(groups, key=lambda group: -group["lr"])
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Of a run in stages, the courses that they say."""
        if self.plan is None or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        plan, optimizer = self.plan, optimizer or self.optimizer
        assert optimizer is not None
        self.lr_scheduler = LambdaLR(optimizer, lambda step: plan.rate(step / num_training_steps))
        self._created_lr_scheduler = True
        return self.lr_scheduler

    # Batches

    def get_batch_samples(self, *arguments: Any, **named: Any) -> Any:
        """Timed: how long training waits for data."""
        start = time.perf_counter()
        samples = super().get_batch_samples(*arguments, **named)
        self.waited += time.perf_counter() - start
        return samples

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Forward and backward of each part of a batch, as long as its own rows."""
        parts = cut(inputs, self.overhead) if self.cuts and not self.packs else []
        weights = [self._weight(part) for part in parts]
        if len(parts) <= 1 or not any(weights):
            inputs.pop(LENGTHS, None)
            return super().training_step(model, inputs, num_items_in_batch)
        shares = [(part, w / sum(weights)) for part, w in zip(parts, weights, strict=True) if w]
        loss = torch.zeros((), device=self.args.device)
        for number, (part, self.share) in enumerate(shares, 1):
            # processes put their gradients together once
            with nullcontext() if number == len(shares) else self.accelerator.no_sync(model):
                loss += super().training_step(model, part, num_items_in_batch)
        self.share = 1.0
        return loss

    def _weight(self, part: dict[str, Any]) -> int:
        """Of how many terms the loss of a part is the mean."""
        if self.job.task.loss_unit == "token":
            return int((part["labels"] != IGNORED).sum())
        return len(next(iter(part.values())))

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The task's, and what regularization adds to it."""
        loss, outputs = self._task_loss(model, inputs, num_items_in_batch)
        said = self.job.regularization
        if said.r_drop:
            again, others = self._task_loss(model, inputs, num_items_in_batch)
            labels = inputs["labels"]
            apart = symmetric_kl(outputs["logits"], others["logits"], labels)
            if self._is_sum(num_items_in_batch):
                share = (labels != IGNORED).sum() / num_items_in_batch
                share = share * self.accelerator.num_processes
            else:
                share = self.share
            loss = (loss + again) / 2 + said.r_drop * share * apart
        if self.anchor:  # upstream divides by the batches of a step, but not what a loss of ours is
            batches = self.current_gradient_accumulation_steps if self.compute_loss_func else 1
            loss = loss + said.l2_sp * self.share * self.anchor() / batches
        return (loss, outputs) if return_outputs else loss

    def _task_loss(self, model: Any, inputs: Any, num_items_in_batch: Any) -> tuple[Any, Any]:
        """Of a part of a batch, as much as it counts for."""
        loss, outputs = super().compute_loss(model, {**inputs}, True, num_items_in_batch)
        return loss if self._is_sum(num_items_in_batch) else loss * self.share, outputs

    def _is_sum(self, num_items_in_batch: Any) -> bool:
        """Whether the loss is a sum already, divided by what the whole step holds."""
        return self.compute_loss_func is not None and num_items_in_batch is not None

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

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """With the mean of the weights beside them, before anything says that this is whole."""
        super().save_model(output_dir, _internal_call)
        if self.ema and output_dir and self.args.should_save:
            self.ema.save(output_dir)

    # Evaluation

    def _get_eval_sampler(self, eval_dataset: Any) -> None:
        """Any order will do: `evaluation_loop` has its own."""

    def evaluation_loop(
        self, dataloader: Any, description: str, *_: Any, **options: Any
    ) -> EvalLoopOutput:
        """Sorted by length, whatever the order of training; each row read as its task does."""
        prefix = options.get("metric_key_prefix", "eval")
        self.callback_handler.eval_dataloader = dataloader
        # weights that are spread over processes cannot be merged in place
        is_sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled
        with (
            self.ema.applied() if self.ema else nullcontext(),
            nullcontext() if is_sharded else self.setup.evaluating(self.model),
        ):
            metrics = {f"{prefix}_{k}": v for k, v in _evaluate(self.model, self.job).items()}
        nothing: Any = None  # scored already
        return EvalLoopOutput(nothing, nothing, metrics, len(self.job.validation))


def _by_rate(group: dict[str, Any], rates: dict[int, float]) -> Iterator[dict[str, Any]]:
    """A group of parameters as groups of one rate each."""
    for rate in sorted({rates[id(p)] for p in group["params"]}):
        params = [p for p in group["params"] if rates[id(p)] == rate]
        yield {**group, "params": params, "lr": group["lr"] * rate}


def _evaluate(model: Any, job: "Job") -> "Mapping[str, float]":
    """Loss and scores on validation of a model that is being trained."""

    def read(outputs: Any, batch: dict[str, Any]) -> dict[str, Any]:
        loss = outputs.loss if job.loss is None else job.loss(outputs, batch["labels"])
        return {
            "loss": loss.expand(len(next(iter(batch.values())))),
            **job.task.collect(outputs, batch),
        }

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
