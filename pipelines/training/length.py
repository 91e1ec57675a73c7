"""How long training is: steps decide, and more epochs are taken where the usual ones are too few.

rows, batch size ──▶ steps of an epoch ── epochs ──▶ steps ── too few? ──▶ more epochs
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import Any

from pipelines.core import processes

# strategies were compared with at least so many steps (benchmarks/README.md)
MIN_STEPS = 90
MIN_STEPS_PER_CLASS = 4
NUM_EVALUATIONS = 6  # of a training that was extended
LENGTH_KEYS = frozenset({"num_train_epochs", "max_steps"})


def min_steps(num_classes: int) -> int:
    """Return the steps that are needed to learn something: more, the more classes there are."""
    return max(MIN_STEPS, MIN_STEPS_PER_CLASS * num_classes)


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Attributes:
        num_rows: encoded rows of train.
        num_classes: outputs to tell apart.
        arguments: fields of TrainingArguments, with the defaults of the strategy.
        explicit: the fields that the recipe has itself.
        adapting: steps that adapting to a target needs.
        needed: steps that a strategy needs to learn something; None: as many as classes ask for.
    """

    num_rows: int
    num_classes: int
    arguments: Mapping[str, Any]
    explicit: frozenset[str]
    adapting: int = 0
    needed: int | None = None

    @property
    def min_steps(self) -> int:
        """Steps that are needed to learn something, and to adapt."""
        return max(self.needed or min_steps(self.num_classes), self.adapting)

    @cached_property
    def extended_epochs(self) -> int | None:
        """Epochs that make `min_steps`; None where the usual do, or the recipe has a length.

        After three epochs of a thousand examples BERT has not learned enough (arXiv 2006.05987,
        section 6).
        """
        epochs = ceil(self.min_steps / self.steps_per_epoch)
        return None if self.explicit & LENGTH_KEYS or epochs <= self._usual_epochs else epochs

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self._max_steps or ceil(self.num_epochs * self.steps_per_epoch)

    @property
    def examples_seen(self) -> float:
        """Examples of the whole training, each counted once per epoch."""
        if self._max_steps:
            return self._max_steps * self._examples_per_step
        return self.num_epochs * self.num_rows

    @property
    def num_epochs(self) -> float:
        """Epochs, where no number of steps takes their place."""
        return self.extended_epochs or self._usual_epochs

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        num_batches = self.num_rows / (self._batch_size * processes.num_processes())
        round_batches = floor if self.arguments.get("dataloader_drop_last") else ceil
        return max(1, ceil(round_batches(num_batches) / self._num_accumulated))

    def extension(self, *, in_steps: bool) -> dict[str, Any]:
        """Return the fields that make training longer; empty where it is long enough.

        Evaluations are counted in steps: short epochs are too many to evaluate each.

        Args:
            in_steps: give the steps instead of epochs. Stages have lengths in epochs, and the last
                one would take all that were added.
        """
        if self.extended_epochs is None:
            return {}
        longer = (
            {"max_steps": self.num_steps} if in_steps else {"num_train_epochs": self.num_epochs}
        )
        # to choose a checkpoint, the Trainer needs both to be the same: one that is named stays
        if self.arguments.keys() & {"eval_strategy", "save_strategy"}:
            return longer
        return {
            **longer,
            "eval_strategy": "steps",
            "eval_steps": self.arguments.get("eval_steps", ceil(self.num_steps / NUM_EVALUATIONS)),
        }

    def __str__(self) -> str:
        return f"{self._epochs_and_steps}: {self._needed}"

    @property
    def shortage(self) -> str:
        """What to do about a length of the recipe's own that is less than `min_steps`."""
        return (
            f"{self._epochs_and_steps}, as the recipe says: {self._needed}; "
            f"leave out training.{' and training.'.join(sorted(self.explicit & LENGTH_KEYS))}"
        )

    @property
    def _needed(self) -> str:
        purpose = "adapt" if self.min_steps == self.adapting else "learn something"
        return f"at least {self.min_steps:,} are needed to {purpose}"

    @property
    def _epochs_and_steps(self) -> str:
        steps = f"{self.num_steps:,} steps"
        return steps if self._max_steps else f"{self.num_epochs:g} epochs, for {steps}"

    @property
    def _usual_epochs(self) -> float:
        epochs: float = self.arguments.get("num_train_epochs", 3)
        return epochs

    @property
    def _max_steps(self) -> int:
        # TrainingArguments has -1 where the epochs decide
        return max(0, self.arguments.get("max_steps") or 0)

    @property
    def _examples_per_step(self) -> int:
        """On all processes together."""
        size = self._batch_size * self._num_accumulated * processes.num_processes()
        # no batch holds an example twice: a small train split is one smaller batch
        return min(self.num_rows, size)

    @property
    def _batch_size(self) -> int:
        """Of a process."""
        size: int = self.arguments.get("per_device_train_batch_size", 8)
        return size

    @property
    def _num_accumulated(self) -> int:
        """Batches of a step."""
        return self.arguments.get("gradient_accumulation_steps") or 1
