"""A batch that memory does not suffice for is computed in parts, which make the same step.

`training.auto_find_batch_size` of transformers begins the training anew, from weights that have
moved already, with nine tenths of the batch: another recipe. Here the step that ran out of memory
is computed again, from the gradients before it, in twice as many parts, and so are all that follow:
what `gradient_accumulation_steps` does, found while training.

    one process         a part after the other; gradients add up
    several processes   all try on their own, agree on whether memory sufficed for each, and take
                        the mean of their gradients then: half of a sum could not be taken back
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import release_memory
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.core.memory_errors import memory_reason
from pipelines.core.sharding import sharding_key
from pipelines.core.upstream import is_batch_norm

if TYPE_CHECKING:
    from accelerate import Accelerator

    from pipelines.training.job import Job

KEY = "training.auto_find_batch_size"


def check(job: "Job") -> None:
    """Refuse to find the size of batches where parts of one do not make the same step.

    Raises:
        RecipeError: says why they do not.
    """
    reason = None
    if sharding_key(job.arguments):
        reason = "weights that are spread over processes take part in every pass"
    elif job.adaptation:
        reason = "adaptation compares the rows of two batches"
    elif getattr(job.loss, "compares_rows", False):
        reason = "the loss compares the rows of a batch"
    if reason:
        raise RecipeError(
            f"{KEY}: true: {reason}, so that it cannot be computed in parts; leave it out, and set "
            "training.per_device_train_batch_size to what fits"
        )


class BatchParts(TrainerCallback, ExportableState):
    """Into how many parts batches are cut so that memory suffices.

    Attributes:
        number: of parts; it doubles each time that memory does not suffice.
    """

    def __init__(self, number: int = 1) -> None:
        self.number, self.step = number, 0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"args": {"number": self.number}, "attributes": {}}

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note the step, for messages."""
        self.step, self.args = state.global_step + 1, args

    def compute(
        self,
        model: Any,
        num_rows: int,
        compute: Callable[[int], torch.Tensor],
        accelerator: "Accelerator",
    ) -> torch.Tensor:
        """Run forward and backward on a batch in as many parts as memory needs.

        Args:
            compute: runs both on a batch in that many parts, and returns its loss.

        Raises:
            MemoryError: there is not enough for a single row.
        """
        # batch normalization has no statistics of a single row
        min_rows = 2 if any(map(is_batch_norm, model.modules())) else 1
        max_parts = max(1, num_rows // min_rows)
        before = _Before(model, has_statistics=min_rows > 1)
        is_several = processes.num_processes() > 1
        while True:
            alone = accelerator.no_sync(model) if is_several else nullcontext()
            with alone:
                loss, reason = _attempt(compute, min(self.number, max_parts))
            if not processes.any_of(reason is not None, self.args.device):
                break
            before.restore(model)
            self._double(num_rows, max_parts, reason, min_rows)
        before.add_gradients()
        if is_several and accelerator.sync_gradients:
            _average_gradients(model)
        return loss

    def _double(self, num_rows: int, max_parts: int, reason: str | None, min_rows: int) -> None:
        """Cut batches into twice as many parts from here on, and print it.

        Raises:
            MemoryError: parts cannot be smaller, in one of the processes.
        """
        reasons = [each for each in processes.gather(reason) if each is not None]
        is_smallest = reason is not None and self.number >= max_parts
        if processes.any_of(is_smallest, self.args.device):
            size = f"{min_rows} rows" if min_rows > 1 else "one row"
            raise MemoryError(f"{reasons[0]} (step {self.step:,}, with {size} at a time)")
        release_memory()
        num_at_once = math.ceil(num_rows / min(self.number, max_parts))
        self.number *= 2
        batch, accumulated = self.args.train_batch_size, self.args.gradient_accumulation_steps
        size, rest = math.ceil(batch / self.number), batch % self.number
        same = (
            f"; the same from the start: training.per_device_train_batch_size={size} "
            f"training.gradient_accumulation_steps={accumulated * self.number}"
        )
        say(
            f"{KEY}: step {self.step:,}: out of memory with {num_at_once} rows ({reasons[0]}): "
            f"from here on batches are computed in {self.number} parts of "
            f"{'at most ' * bool(rest)}{size}, with the same steps and schedule"
            f"{', batch normalization on the rows of a part' if min_rows > 1 else ''}"
            f"{'' if rest else same}"
        )


class _Before:
    """Gradients of the batches before, which are set aside, and running statistics."""

    def __init__(self, model: Any, *, has_statistics: bool) -> None:
        self.gradients = [(p, p.grad) for p in model.parameters() if p.grad is not None]
        self.buffers = [(b, b.clone()) for b in model.buffers()] if has_statistics else []
        for parameter, _ in self.gradients:
            parameter.grad = None

    def restore(self, model: Any) -> None:
        """Undo what a pass without enough memory has left."""
        model.zero_grad()
        for buffer, value in self.buffers:
            buffer.copy_(value)

    def add_gradients(self) -> None:
        """Add those that were set aside to those that were computed since."""
        for parameter, gradient in self.gradients:
            computed = parameter.grad
            parameter.grad = gradient if computed is None else computed.add_(gradient)


def _attempt(
    compute: Callable[[int], torch.Tensor], num_parts: int
) -> tuple[torch.Tensor, str | None]:
    """Return a loss, or why there was no memory for it.

    The error ends here: its frames hold the activations that the next attempt needs room for.
    """
    try:
        return compute(num_parts), None
    except (MemoryError, RuntimeError) as error:
        reason = memory_reason(error)
        if reason is None:
            raise
        return torch.zeros(()), reason


def _average_gradients(model: Any) -> None:
    """Give all processes the mean of their gradients, as DDP does while it computes them."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    sums = [torch.distributed.all_reduce(each, async_op=True) for each in gradients]
    for pending in sums:
        pending.wait()
    for gradient in gradients:
        gradient /= processes.num_processes()
