"""`transformers.Trainer` with a loss of several terms.

Imported when training starts: it needs transformers' Trainer at hand.
"""

from typing import TYPE_CHECKING, Any

from transformers import Trainer

from pipelines.core.labels import IGNORED
from pipelines.training.adaptation_term import AdaptationTerm
from pipelines.training.regularization import Anchor, require_dropout, symmetric_kl

if TYPE_CHECKING:
    from pipelines.training.job import Job
    from pipelines.training.setup import Setup


class ComposedLossTrainer(Trainer):
    """Trainer whose loss is that of the task, and the terms of `regularization` and `adaptation`.

    Attributes:
        job: what to train, and on what.
        adaptation: the term that compares source and target; None: there is no target.
        anchor: the term that pulls weights to where they started; None: without.
        share: the weight in its batch of the piece that is being computed.
    """

    def __init__(self, job: "Job", setup: "Setup") -> None:
        super().__init__(
            model=setup.model,
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
        self.job, self.share = job, 1.0
        self.anchor = _anchor(job) if job.regularization.l2_sp else None
        if job.regularization.r_drop:
            require_dropout(setup.model)
        self.adaptation = AdaptationTerm(job, setup, self.args) if job.adaptation else None
        if self.adaptation:
            self.add_callback(self.adaptation)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss of the task, and add the terms."""
        # the Trainer counts items for losses of the model's own, too, which do not divide by them
        num_items = num_items_in_batch if self.compute_loss_func else None
        observed = self.adaptation.around(model) if self.adaptation else model
        loss, outputs = self._task_loss(observed, inputs, num_items)
        if self.job.regularization.r_drop:
            loss = self._agreeing(loss, outputs, model, inputs, num_items)
        # upstream divides the model's own loss by the batches of a step, but no other loss
        batches = self.current_gradient_accumulation_steps if self.compute_loss_func else 1
        if self.adaptation:
            loss = loss + self.adaptation.loss() / batches
        if self.anchor:
            loss = loss + self.job.regularization.l2_sp * self.share * self.anchor() / batches
        return (loss, outputs) if return_outputs else loss

    def _task_loss(self, model: Any, inputs: Any, num_items: Any) -> tuple[Any, Any]:
        """Compute (task loss of a bucket, weighted by its share of the batch; outputs).

        With `num_items` the loss is a sum already, divided by what the whole step holds.
        """
        loss, outputs = super().compute_loss(model, {**inputs}, True, num_items)
        return loss if num_items is not None else loss * self.share, outputs

    def _agreeing(self, loss: Any, outputs: Any, model: Any, inputs: Any, num_items: Any) -> Any:
        """Pass once more with other dropout: the mean of both losses, and how far they differ."""
        again, others = self._task_loss(model, inputs, num_items)
        labels = inputs["labels"]
        divergence = symmetric_kl(outputs["logits"], others["logits"], labels)
        share: Any = self.share
        if num_items is not None:  # the loss is a sum over all that the step holds
            share = (labels != IGNORED).sum() / num_items * self.accelerator.num_processes
        return (loss + again) / 2 + self.job.regularization.r_drop * share * divergence


def _anchor(job: "Job") -> Anchor:
    """Hold the pretrained weights of a job."""
    named, new = job.checkpoint.model.named_parameters(), job.checkpoint.newly_initialized
    return Anchor(parameter for name, parameter in named if name not in new)
