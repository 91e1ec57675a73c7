"""The clock of steps, and what it reads of the device."""

import resource
import time
from typing import Any


class StepClock:
    """Builds a callback of the Trainer that times steps; whoever makes a Trainer gets it."""

    def __init__(self, warm: int) -> None:
        self.warm = warm
        self.began = self.ended = 0.0
        self.steps = self.samples = 0
        self.loss: float | None = None
        self.memory: int | None = None

    def install(self) -> None:
        """Add the callback to those that every Trainer has."""
        from transformers import TrainerCallback, trainer

        clock = self

        class Timing(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.step(args, state)

            def on_log(
                self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
            ) -> None:
                clock.loss = (logs or {}).get("train_loss", clock.loss)

        trainer.DEFAULT_CALLBACKS = [*trainer.DEFAULT_CALLBACKS, Timing]

    def step(self, args: Any, state: Any) -> None:
        """Take the time after the last warm step and after the last one of all."""
        if state.global_step == self.warm:
            synchronize()
            self.began = time.perf_counter()
        elif state.global_step == state.max_steps:
            synchronize()
            self.ended = time.perf_counter()
            self.memory = peak()
            self.steps = state.global_step - self.warm
            size = args.per_device_train_batch_size * args.gradient_accumulation_steps
            self.samples = self.steps * size

    def result(self) -> dict[str, Any]:
        """Return samples in a second, mean training loss, and the most memory in use."""
        seconds = self.ended - self.began
        return {
            "samples_per_second": self.samples / seconds,
            "step_ms": 1000 * seconds / self.steps,
            "loss": self.loss,
            "memory": self.memory,
        }


def has_gpu() -> bool:
    """Return whether a GPU computes."""
    import torch

    return torch.cuda.is_available()


def synchronize() -> None:
    """Wait until the device is at rest."""
    import torch

    if has_gpu():
        torch.cuda.synchronize()


def peak() -> int:
    """Return the most bytes in use: of the GPU, else of this process."""
    import torch

    if has_gpu():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
