"""A callback that lets the learning rate rise, and notes the loss of each step."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from transformers import TrainerCallback

BETA = 0.98  # of the moving average, as in fastai
DIVERGED = 4  # times the least smoothed loss


class RangeTest(TrainerCallback):
    """Sets the rate of each step; stops where the smoothed loss leaves what it has reached.

    A group of parameters that has a multiple of the base rate keeps it.

    Args:
        rate: the base rate of a step, counted from 0.
        seen: is told step, rate, loss and smoothed loss.

    Attributes:
        losses, smoothed: of each step so far.
        diverged: whether the loss ended the test.
    """

    def __init__(
        self,
        rate: Callable[[int], float],
        seen: Callable[[int, float, float, float], None],
    ) -> None:
        self.rate, self.seen = rate, seen
        self.average, self.diverged = 0.0, False
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def on_step_begin(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        factor = self.rate(state.global_step) / args.learning_rate
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            step = state.global_step - 1
            self._note(float(logs["loss"]))
            self.seen(step, self.rate(step), self.losses[-1], self.smoothed[-1])
            if self.diverged:
                control.should_training_stop = True

    def _note(self, loss: float) -> None:
        """The moving average starts at 0: divided by how much of it is losses, it is theirs."""
        self.losses.append(loss)
        self.average = BETA * self.average + (1 - BETA) * loss
        self.smoothed.append(self.average / (1 - BETA ** len(self.losses)))
        now = self.smoothed[-1]
        self.diverged = not isfinite(now) or now > DIVERGED * min(self.smoothed)
