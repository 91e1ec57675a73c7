"""No step is taken on gradients that are not finite, which would turn every weight into NaN."""

import math
from typing import Any

import torch
from transformers import TrainerCallback

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import DIVERGED, DivergedError

MAX_IN_A_ROW = 3
# in float16: from 65,536 the scale of the loss has halved to below one by then, so that it is not
# the scale that overflows
MAX_SCALED_IN_A_ROW = 20


class FiniteSteps(TrainerCallback):
    """Leave out a step whose gradients are not finite; give up after several in a row.

    A single one comes from a batch or from the kernel that computed it, and without it training
    goes on; several in a row mean that it diverged.

    Args:
        is_scaled: whether float16 trains: its scaler leaves steps out, for ever if need be.
        is_sharded: whether gradients are spread over processes, which then agree.

    Attributes:
        num_steps: that came here.
        num_logged, num_lost: steps since the last entry of the log, and of these the ones without
            a finite loss, for which upstream would enter 0, or what it was before.
        in_a_row: steps that were left out since the last that was taken.
    """

    def __init__(self, *, is_scaled: bool = False, is_sharded: bool = False) -> None:
        self.is_scaled, self.is_sharded = is_scaled, is_sharded
        self.num_steps, self.in_a_row = 0, 0
        self.is_lost, self.num_logged, self.num_lost = False, 0, 0

    def counted(self, loss: torch.Tensor) -> torch.Tensor:
        """Return a loss as it is added up for the log: nothing where it is not finite."""
        if loss.isfinite():
            return loss
        self.is_lost = True
        return torch.zeros_like(loss)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count the steps of the next entry of the log, and those whose loss was not finite."""
        self.num_logged += 1
        self.num_lost += self.is_lost
        self.is_lost = False

    def corrected(self, logs: dict[str, float]) -> dict[str, float]:
        """Return an entry of the log whose loss is the mean over steps with a finite one."""
        if "loss" not in logs:
            return logs
        num_finite = self.num_logged - self.num_lost
        factor = self.num_logged / num_finite if num_finite else math.nan
        self.num_logged, self.num_lost = 0, 0
        return {**logs, "loss": logs["loss"] * factor}

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Look at the gradients, which all processes share by now.

        Raises:
            DivergedError: no step was taken for some time.
        """
        self.num_steps += 1
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        is_finite = _are_finite([p.grad for p in trained if p.grad is not None])
        if self.is_sharded:
            is_finite = not processes.any_of(not is_finite, args.device)
        if is_finite:
            self.in_a_row = 0
            return
        self.in_a_row += 1
        limit = MAX_SCALED_IN_A_ROW if self.is_scaled else MAX_IN_A_ROW
        if self.in_a_row == limit:
            raise DivergedError(
                f"the gradients of {limit} steps in a row are not finite: {DIVERGED}"
            )
        if self.is_scaled:  # as long as the scale is too large for float16, that is as it should be
            return
        for parameter in trained:
            parameter.grad = None
        say(f"step {state.global_step + 1:,}: the gradients are not finite: this step is left out")

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Refuse a result that no step has changed.

        Raises:
            DivergedError: all steps were left out; in float16, where more would follow, a line
                says so.
        """
        if not self.in_a_row or self.in_a_row < self.num_steps:
            return
        problem = f"none of {self.num_steps} steps was taken, since no gradients were finite"
        if not self.is_scaled:
            raise DivergedError(f"{problem}: {DIVERGED}")
        say(f"{problem}: float16 needs more steps to find its scale; the weights are as they were")


def _are_finite(gradients: list[Any]) -> bool:
    """Look at all gradients, of those that are spread at the shards of this process."""
    local = [each.to_local() if hasattr(each, "to_local") else each for each in gradients]
    return not local or bool(torch.nn.utils.get_total_norm(local).isfinite())
