"""No step is taken on gradients that are not finite, which would turn every weight into NaN."""

from typing import Any

import torch
from transformers import TrainerCallback

from pipelines.core.console import say
from pipelines.core.errors import DIVERGED, DivergedError

MAX_IN_A_ROW = 3


class FiniteSteps(TrainerCallback):
    """Leave out a step whose gradients are not finite; give up after several in a row.

    A single one comes from a batch or from the kernel that computed it, and without it training
    goes on; several in a row mean that it diverged. The scaler of float16 does the same for itself.

    Attributes:
        in_a_row: steps that were left out since the last that was taken.
    """

    def __init__(self) -> None:
        self.in_a_row = 0

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Look at the gradients, which all processes share by now.

        Raises:
            DivergedError: no step was taken for some time.
        """
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in trained if p.grad is not None]
        if not gradients or torch.nn.utils.get_total_norm(gradients).isfinite():
            self.in_a_row = 0
            return
        self.in_a_row += 1
        if self.in_a_row == MAX_IN_A_ROW:
            raise DivergedError(
                f"the gradients of {MAX_IN_A_ROW} steps in a row are not finite: {DIVERGED}"
            )
        for parameter in trained:
            parameter.grad = None
        say(f"step {state.global_step + 1:,}: the gradients are not finite: this step is left out")
