"""How many rows a step reads, which stays the same when other processes go on with a run.

Where one process goes on alone after four, it reads four batches in a step
(`training.gradient_accumulation_steps`): losses, schedule and epochs stay what they were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pipelines.core.console import say
from pipelines.recipe.differences import Difference
from pipelines.report import requested, strict_json
from pipelines.report.run_folder import RunFolder

BATCH = "per_device_train_batch_size"
ACCUMULATION = "gradient_accumulation_steps"
KEYS = (f"training.{BATCH}", f"training.{ACCUMULATION}")
DEFAULTS = {BATCH: 8, ACCUMULATION: 1}  # of TrainingArguments


@dataclass(frozen=True)
class StepSize:
    """What the rows of a step are divided into.

    Attributes:
        batch: rows that a process reads at once.
        accumulation: batches of a process in a step.
    """

    batch: int
    accumulation: int
    processes: int

    @classmethod
    def of(cls, training: Mapping[str, Any], num_processes: int) -> Self:
        """Read it from the recipe's `training:`."""
        values = {**DEFAULTS, **{k: v for k, v in training.items() if v is not None}}
        return cls(values[BATCH], values[ACCUMULATION], num_processes)

    @classmethod
    def of_run(cls, run: RunFolder) -> Self | None:
        """Read it from what a run recorded; None where nothing was trained.

        Raises:
            RunError: the recipe or the lock is damaged.
        """
        if not (run.recipe.is_file() and run.lock.is_file()):
            return None
        count = strict_json.read(run.lock, "start the run anew").get("num_processes")
        training = requested.read(run.recipe).training
        return cls.of(training, count if isinstance(count, int) and count > 0 else 1)

    @property
    def num_rows(self) -> int:
        """Rows of a step, of all processes."""
        return self.batch * self.accumulation * self.processes

    def spread_over(self, num_processes: int) -> Self | None:
        """Divide the same rows among other processes, in batches that are no larger.

        Returns:
            None where they cannot have equal parts.
        """
        rows, rest = divmod(self.num_rows, num_processes)
        if rest:
            return None
        batch = next(n for n in range(min(self.batch, rows), 0, -1) if rows % n == 0)
        return type(self)(batch, rows // batch, num_processes)

    @property
    def training(self) -> dict[str, int]:
        """The keys of `training:` that make it."""
        return {BATCH: self.batch, ACCUMULATION: self.accumulation}


def explicit_size(before: StepSize, changes: Iterable[Difference], num_processes: int) -> StepSize:
    """Return the size that a recipe asks for which has changed one of KEYS, or both."""
    changed = {change.key.partition(".")[2]: change.now for change in changes if change.key in KEYS}
    return StepSize.of({**before.training, **changed}, num_processes)


def resumed_training(
    run: RunFolder, changes: Iterable[Difference], num_processes: int
) -> dict[str, int]:
    """Return the keys of `training:` with which a run goes on, and print what is new of them.

    Args:
        changes: of the recipe; what they make of a step was compared already.

    Raises:
        RunError: the recipe or the lock of the run is damaged.
    """
    before = StepSize.of_run(run)
    if before is None:
        return {}
    changes = tuple(change for change in changes if change.key in KEYS)
    if changes:
        return explicit_size(before, changes, num_processes).training
    if before.processes == num_processes:
        return before.training
    began = f"resume: {before.processes} -> {num_processes} processes: a step"
    now = before.spread_over(num_processes)
    if now is None:
        now = replace(before, processes=num_processes)
        say(
            f"{began} had {before.num_rows} rows, which {num_processes} processes cannot divide "
            f"into equal parts; it has {now.num_rows} from here on, at the same learning rate"
        )
    else:
        say(
            f"{began} has {now.num_rows} rows as before: of each process {now.accumulation} x "
            f"{now.batch} (training.{ACCUMULATION} x {BATCH})"
        )
    return now.training
