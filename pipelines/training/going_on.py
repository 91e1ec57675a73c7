"""Callbacks by which a training goes on: what a checkpoint notes, and what is brought in line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.training import checkpoint_files
from pipelines.training.progress import Progress


class NoteFiles(TrainerCallback):
    """Notes which files a checkpoint has, once all processes have written their parts of it."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note those of the checkpoint that was saved at this step."""
        processes.wait()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if processes.is_main() and folder.is_dir():
            checkpoint_files.note(folder)


class NoteIngredient(TrainerCallback, ExportableState):
    """Notes in checkpoints which ingredient of a soup they are of."""

    def __init__(self, number: int) -> None:
        self.number = number

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"args": {"number": self.number}, "attributes": {}}


class Continuation(TrainerCallback):
    """Lets a training go on by its own arguments, some of which upstream takes from the checkpoint.

    These are the steps between logs, the first rate of a schedule of another length, and where the
    best weights so far lie: a run folder may have been moved. A training that had come to its end
    takes no further step.

    Args:
        progress: at the checkpoint.
        checkpoint: its folder.
        callbacks: all of the training's; later checkpoints keep the state of those that have one.
        patience: evaluations without improvement that end it; None: none do.
    """

    def __init__(
        self,
        progress: Progress,
        checkpoint: Path | None,
        callbacks: Sequence[TrainerCallback],
        patience: int | None,
    ) -> None:
        self.progress, self.checkpoint, self.patience = progress, checkpoint, patience
        self.stateful = [each for each in callbacks if isinstance(each, ExportableState)]

    def on_train_begin(
        self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **_: Any
    ) -> None:
        """Bring state and rates in line, once the checkpoint is loaded; print a new length."""
        state.compute_steps(args, state.max_steps)
        if self.checkpoint and state.best_global_step:
            best = self.checkpoint.with_name(f"checkpoint-{state.best_global_step}")
            state.best_model_checkpoint = str(best) if best.is_dir() else None
        for callback in self.stateful:  # upstream saves only those that the checkpoint had
            state.stateful_callbacks.setdefault(type(callback).__name__, callback.state())
        if state.max_steps != self.progress.max_steps:
            say(
                f"resume: from step {state.global_step:,} of {self.progress.max_steps:,} to "
                f"{state.max_steps:,}, by the schedule of the new length"
                f"{follow_schedule(lr_scheduler)}"
            )
        is_stopped = self.patience is not None and self.progress.evaluations >= self.patience
        if is_stopped:
            say(f"resume: early stopping had ended the training at step {state.global_step:,}")
        control.should_training_stop = is_stopped or state.global_step >= state.max_steps


def follow_schedule(scheduler: Any) -> str:
    """Set the rates of the next step as the schedule has them; say how that changes the first.

    A schedule that counts evaluations, and no steps, stays as it is.
    """
    factors = getattr(scheduler, "lr_lambdas", None)
    if not factors:
        return ""
    groups, step = scheduler.optimizer.param_groups, scheduler.last_epoch
    before = groups[0]["lr"]
    for group, base, factor in zip(groups, scheduler.base_lrs, factors, strict=True):
        group["lr"] = base * factor(step)
    return f": the learning rate is {groups[0]['lr']:.3g} now, and was {before:.3g}"
