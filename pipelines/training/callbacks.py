"""Callbacks of the Trainer: stop on a signal, delay early stopping, report, time the data."""

import operator
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_callback import ExportableState

from pipelines.core import processes, stopping


class StopOnSignal(TrainerCallback):
    """On Ctrl-C or SIGTERM finish the step, save a checkpoint, stop. A second Ctrl-C kills.

    Signals are caught inside a `with` block. All processes stop at the same step, whichever of
    them got the signal; once the last step is done there is nothing left to stop.

    Attributes:
        signal: the signal that this process got.
        stopped_by: the signal that all processes agreed to stop for.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self.stopped_by: str | None = None
        self.handling = ExitStack()

    def __enter__(self) -> "StopOnSignal":
        self.handling.enter_context(stopping.handling(self._note))
        return self

    def __exit__(self, *_: object) -> None:
        self.handling.close()

    def _note(self, number: signal.Signals) -> None:
        # SIGTERM comes twice where a scheduler and a launcher both pass it on
        if self.signal and number == signal.SIGINT:
            self.handling.close()
            stopping.interrupt(number)
        self.signal = number.name

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save and stop, if a process got a signal."""
        if state.global_step >= state.max_steps:
            return
        # a process that stopped alone would leave the others waiting for its gradients
        if processes.any_of(self.signal is not None, args.device):
            self.stopped_by = self.signal or "a signal to another process"
            control.should_save = control.should_training_stop = True
            # with a limit of 1 the Trainer would end by deleting all but the best checkpoint
            args.save_total_limit = None

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Skip an evaluation that is not due."""
        # the checkpoint is saved: no time for an evaluation, unless it is due at this very step
        if self.stopped_by and not float(state.epoch).is_integer():
            control.should_evaluate = control.should_save = False


class DelayedEarlyStopping(TrainerCallback):
    """Lets early stopping count evaluations only from some point on.

    Args:
        stopping: the callback that counts; it must come after this one.
        ready: (TrainingArguments, TrainerState) -> whether an evaluation counts.
    """

    def __init__(self, stopping: EarlyStoppingCallback, ready: Callable[[Any, Any], bool]) -> None:
        self.stopping, self.ready = stopping, ready

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reset the count while evaluations do not count."""
        if not self.ready(args, state):
            self.stopping.early_stopping_patience_counter = -1  # it adds one


def beats(baseline: float) -> Callable[[Any, Any], bool]:
    """Build a test of whether the best score so far is better than that of the baseline.

    CTC learns to output nothing before it outputs its first character: for some epochs the loss
    falls and the error rate stands still.
    """

    def beaten(args: Any, state: Any) -> bool:
        better = operator.gt if args.greater_is_better else operator.lt
        return state.best_metric is not None and better(state.best_metric, baseline)

    return beaten


class PlainLogger(TrainerCallback):
    """One plain line for each log entry, for output that is not a terminal."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Print the entry."""
        # its closing entry is about times that the summary of a run has, too
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        shown = {
            name: value
            for name, value in logs.items()
            if not name.endswith(("runtime", "per_second")) and name not in {"epoch", "total_flos"}
        }
        values = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        elapsed = time.monotonic() - self.start
        print(f"step {state.global_step}/{state.max_steps}  {elapsed:.0f} s  {values}", flush=True)


class WaitingTime(TrainerCallback, ExportableState):
    """Measures how long training takes, and how long of that it waits for batches.

    It waits from whatever the Trainer did last, evaluations and checkpoints included, to the begin
    of a step: a step's batches are collected right before. Checkpoints keep both times.

    Attributes:
        seconds: waited so far.
    """

    def __init__(self, seconds: float = 0.0, elapsed: float = 0.0) -> None:
        self.seconds, self.waiting_since = seconds, time.perf_counter()
        self.started = self.waiting_since - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return time.perf_counter() - self.started

    def _wait(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.waiting_since = time.perf_counter()

    on_epoch_begin = on_step_end = on_log = on_evaluate = on_save = _wait

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Add what has passed since."""
        self.seconds += time.perf_counter() - self.waiting_since

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"args": {"seconds": self.seconds, "elapsed": self.elapsed}, "attributes": {}}
