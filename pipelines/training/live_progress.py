"""One live line on a terminal: how far training is, its scores, and the time that is left."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from pipelines.training.callbacks import PlainLogger


class LiveProgress(PlainLogger):
    """A bar with loss, metric, the best so far and the baseline; a line stays for each evaluation.

    Args:
        metric: the score that is shown beside the baseline's.
        baseline: of a predictor that never looks at an example; None if there is none.
    """

    def __init__(self, metric: str, baseline: float | None) -> None:
        self.metric, self.baseline = metric, baseline
        self.loss = self.score = ""
        self.bar: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the line, below whatever is printed while it is there."""
        super().on_train_begin(args, state, control)
        if not state.is_world_process_zero:
            return
        scores = TextColumn(
            "{task.fields[scores]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        )
        self.bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            scores,
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            # what goes to a file, or is silenced, must not come to the terminal by way of the bar
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        # another score, or the loss, may choose the checkpoint: its best is not this one's
        self.chooses = (args.metric_for_best_model or "").removeprefix("eval_") == self.metric
        self.task = self.bar.add_task(
            "", total=state.max_steps, completed=state.global_step, scores=self._scores(state)
        )
        self.bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Move the bar."""
        if self.bar:
            self.bar.update(self.task, completed=state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Take losses and scores over; print what validation gave."""
        if not self.bar or not logs:
            return
        if "loss" in logs:
            self.loss = f"loss {logs['loss']:.3g}"
        score = logs.get(f"eval_{self.metric}")
        if score is not None:
            self.score = f"{self.metric} {score:.4g}"
            super().on_log(args, state, control, logs)
        self.bar.update(self.task, scores=self._scores(state))

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Show the best score so far, which is known from now on."""
        if self.bar:
            self.bar.update(self.task, scores=self._scores(state))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the line away."""
        self.stop()

    def stop(self) -> None:
        """Take the line away, after a failure, too: the cursor is hidden while it is there."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _scores(self, state: Any) -> str:
        known = [self.loss, self.score]
        if self.chooses and state.best_metric is not None:
            known.append(f"best {state.best_metric:.4g}")
        if self.baseline is not None:
            known.append(f"baseline {self.baseline:.4g}")
        return ", ".join(filter(None, known))
