"""A Trainer callback that raises the learning rate, and records the loss of each step."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from transformers import TrainerCallback

BETA = 0.98  # of the moving average, as in fastai
MAX_LOSS_RATIO = 4  # a smoothed loss beyond this multiple of its minimum has diverged, as in fastai


class RangeTest(TrainerCallback):
    """Sets the learning rate of each step, and stops when the smoothed loss diverges.

    A group of parameters whose rate is a multiple of the base rate keeps the multiple.

    Args:
        rate: step, counted from 0 -> base learning rate.
        on_step: is called with step, rate, loss and smoothed loss.

    Attributes:
        losses, smoothed: one entry per step so far.
        diverged: whether the loss ended the test.
    """

    def __init__(
        self,
        rate: Callable[[int], float],
        on_step: Callable[[int, float, float, float], None],
    ) -> None:
        self.rate, self.on_step = rate, on_step
        self.average, self.diverged = 0.0, False
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def on_step_begin(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Set the learning rate of every group of parameters."""
        # args.learning_rate is what every initial_lr is a multiple of
        factor = self.rate(state.global_step) / args.learning_rate
        for group in optimizer.param_groups:
            # initial_lr is set by the scheduler and holds the multiple of this group
            group["lr"] = group["initial_lr"] * factor

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Record the loss of the step, and stop training if it has diverged."""
        if "loss" in logs:
            step = state.global_step - 1
            self._record(float(logs["loss"]))
            self.on_step(step, self.rate(step), self.losses[-1], self.smoothed[-1])
            if self.diverged:
                control.should_training_stop = True

    def _record(self, loss: float) -> None:
        """Update the bias-corrected moving average (as in Adam)."""
        self.losses.append(loss)
        self.average = BETA * self.average + (1 - BETA) * loss
        # the average starts at 0; 1 - beta^t is the total weight of the t losses in it
        self.smoothed.append(self.average / (1 - BETA ** len(self.losses)))
        latest = self.smoothed[-1]
        self.diverged = not isfinite(latest) or latest > MAX_LOSS_RATIO * min(self.smoothed)
