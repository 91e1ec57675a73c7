"""What `auto` and other strategies look at before they resolve what a recipe left open."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import memory_limits, processes
from pipelines.core.labels import SINGLE
from pipelines.core.sharding import sharding_key
from pipelines.models import forward
from pipelines.strategies.choosing import head_input, similarity
from pipelines.training.length import Length

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import Task

NUM_TIMED_EXAMPLES = 64
MAX_PASSES, MAX_TIMED_SECONDS = 10, 2.0
BYTES_PER_PARAMETER = 16  # that AdamW trains, in float32: weight, gradient, two moments


@dataclass(frozen=True)
class AutoContext:
    """A task with its data and its model, and what the recipe says of training.

    Attributes:
        train: the encoded rows; of a stream, the first ones.
        validation: the encoded rows; those of train where folds stand in for them.
        targets: one for each training example.
        num_validation: number of validation examples.
        num_folds: folds of train that stand in for them; 0: rows are set aside.
        has_pairs: whether an example is a pair of texts.
        streams: whether train is a stream.
        has_target: whether rows of another domain are there to adapt to.
        training: the recipe's `training:`.
        usual: TrainingArguments of full fine-tuning, where the recipe names none.
        machine: TrainingArguments that suit the machine, such as bf16.
        explicit: the sections that the recipe itself has.
        conflict: `conflict(strategy=…, training=…)` gives the reason why the recipe cannot have
            these sections in place of its own, or None.
        groups: (examples,) equal in those of one group by `data.group`.
    """

    task: "Task"
    checkpoint: "Checkpoint"
    anatomy: "Anatomy"
    labels: "Labels"
    train: Any
    validation: Any
    targets: list[Any]
    num_validation: int
    num_folds: int
    has_pairs: bool
    streams: bool
    has_target: bool
    training: Mapping[str, Any]
    usual: Mapping[str, Any]
    machine: Mapping[str, Any]
    explicit: frozenset[str]
    conflict: Callable[..., str | None]
    groups: np.ndarray | None = None

    @property
    def examples_per_class(self) -> float | None:
        """Training examples of a class, on average; None unless each example has one class."""
        if self.labels.problem_type != SINGLE:
            return None
        return len(self.targets) / self.labels.num_labels

    @property
    def normalizes_batches(self) -> bool:
        """Whether the model has batch normalization."""
        from pipelines.core.upstream import is_batch_norm

        return any(map(is_batch_norm, self.checkpoint.model.modules()))

    @property
    def optimizer_bytes(self) -> int:
        """Memory that AdamW needs in a process to train every parameter.

        ZeRO, arXiv 1910.02054, section 3.1.
        """
        num_shares = processes.num_processes() if sharding_key(self.training) else 1
        return int(self.checkpoint.model.num_parameters() * BYTES_PER_PARAMETER / num_shares)

    @cached_property
    def free_bytes(self) -> float:
        """Memory that is free where this process trains, the same number on all processes."""
        # it changes from one look to the next: processes that saw different numbers could choose
        # different strategies, and would wait for each other forever
        return processes.from_main(lambda: memory_limits.free(self.training))

    @cached_property
    def length(self) -> Length:
        """How long training is, under the defaults of full fine-tuning."""
        return Length(
            num_rows=len(self.train),
            num_classes=self.labels.num_labels,
            arguments={**self.usual, **self.training},
            explicit=frozenset(self.training),
        )

    @cached_property
    def minutes(self) -> float:
        """Estimated minutes of full fine-tuning on this machine.

        A forward pass is timed; with the backward pass a step takes three times as long
        (arXiv 2001.08361, section 2.1).
        """
        # all processes take part in the pass, and then believe the clock of the main one: by clocks
        # that differ they could choose different strategies
        seconds = self._seconds_per_example()
        return processes.from_main(lambda: 3 * seconds * self.length.examples_seen / 60)

    def _seconds_per_example(self) -> float:
        """Time a forward pass over a random sample, which the processes share."""
        rows = np.random.default_rng(0).permutation(len(self.train))[:NUM_TIMED_EXAMPLES]
        collate = self.task.collator(self.checkpoint.processor)
        options = {"row_ids": rows, "bf16": self.machine.get("bf16", False)}
        seconds: list[float] = []
        # the first pass prepares kernels; of more, the fastest one was disturbed least
        while processes.from_main(lambda: _is_worth_timing(seconds)):
            start = time.perf_counter()
            batches = forward.iter_batches(
                self.checkpoint.model, self.train, collate, _first_value, **options
            )
            seconds.append(sum(1 for _ in batches) and time.perf_counter() - start)
        return min(seconds) / len(rows)

    @cached_property
    def head_input_size(self) -> float | None:
        """Magnitudes in a vector that the output layer reads; None where they say nothing."""
        # the same number on all processes, which have to train at the same rates
        size = head_input.mean_size(self.task, self.checkpoint, self.anatomy, self.train)
        return processes.from_main(lambda: size)

    @cached_property
    def similarity(self) -> similarity.Similarity:
        """How close the features are to the task as they are."""
        return similarity.measure(
            self.task,
            self.checkpoint,
            self.anatomy,
            self.labels,
            self.train,
            bf16=self.machine.get("bf16", False),
            groups=self.groups,
            validation=self.validation,
        )


def _is_worth_timing(seconds: list[float]) -> bool:
    """Return whether one more pass is worth its time, after passes that took so long."""
    return len(seconds) < 2 or (sum(seconds) < MAX_TIMED_SECONDS and len(seconds) < MAX_PASSES)


def _first_value(outputs: Any, _: Any) -> dict[str, Any]:
    """Copy one value to the CPU, which forces the GPU to finish before the clock stops."""
    return {"first": outputs[0].flatten(1)[:, 0]}
