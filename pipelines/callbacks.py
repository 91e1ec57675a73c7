"""What the Trainer should do besides training: stop on a signal, and report in a log file."""

import signal
import time
from typing import Any

import torch
from transformers import TrainerCallback


class StopOnSignal(TrainerCallback):
    """Ctrl-C or SIGTERM: finish the step, save a checkpoint, stop. A second Ctrl-C kills.

    All processes stop at the same step, whichever of them got the signal.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self.before: dict[int, Any] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        if self.signal:
            self._restore()
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._anyone(args):
            self.signal = self.signal or "a signal to another process"
            control.should_save = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.signal:  # the checkpoint is saved: no time for an evaluation
            control.should_evaluate = control.should_save = False

    def _anyone(self, args: Any) -> bool:
        if args.world_size <= 1:
            return self.signal is not None
        flag = torch.tensor(int(self.signal is not None), device=args.device)
        torch.distributed.all_reduce(flag)
        return bool(flag)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, action in self.before.items():
            signal.signal(number, action)
        self.before = {}


class LogLines(TrainerCallback):
    """One plain line for each log entry, for output that is not a terminal."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.start = time.monotonic()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        shown = {
            name: value
            for name, value in logs.items()
            if not name.endswith(("runtime", "per_second")) and name not in {"epoch", "total_flos"}
        }
        told = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        elapsed = time.monotonic() - self.start
        print(f"step {state.global_step}/{state.max_steps}  {elapsed:.0f} s  {told}", flush=True)
