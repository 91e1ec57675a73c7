"""What is known before training: what a strategy settles by."""

import time
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import hardware, processes
from pipelines.core.labels import SINGLE
from pipelines.models import forward
from pipelines.strategies.choosing import similarity
from pipelines.strategies.full import Full

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.recipe import Recipe
    from pipelines.tasks import Task

TIMED = 64  # examples
STEPS = 90  # that training should have
OPTIMIZED = 16  # bytes of a parameter that AdamW trains: weight, gradient, two moments


@dataclass(frozen=True)
class AutoContext:
    """A recipe with its data and its model, before anything is decided about training.

    Attributes:
        train: the encoded rows; the first ones, where they flow by.
        targets: what they are to become, one for each example.
        num_validation: how many examples there are to choose by.
        streams: whether train flows by.
    """

    recipe: "Recipe"
    checkpoint: "Checkpoint"
    anatomy: "Anatomy"
    labels: "Labels"
    train: Any
    targets: list[Any]
    num_validation: int
    streams: bool

    @property
    def task(self) -> "Task":
        """The recipe's."""
        return self.recipe.task

    def problem_with(self, **sections: Any) -> str | None:
        """Why the recipe cannot have these sections in place of its own; None where it can."""
        from pipelines.recipe import combinations

        problems = combinations.problems(self.recipe.replace(**sections))
        return next((why for _, why in problems), None)

    @property
    def per_class(self) -> float | None:
        """Examples of a class, on average; None where an example has not one class."""
        if self.labels.problem_type != SINGLE:
            return None
        return len(self.targets) / self.labels.num_labels

    @cached_property
    def fast(self) -> dict[str, Any]:
        """TrainingArguments that fit the machine."""
        decodes = getattr(self.train, "decodes", False)
        return hardware.defaults(self.recipe.training, decodes=decodes)

    @property
    def normalizes_batches(self) -> bool:
        """Whether the model has statistics of batches."""
        from torch.nn.modules.batchnorm import _BatchNorm

        return any(isinstance(m, _BatchNorm) for m in self.checkpoint.model.modules())

    @property
    def optimizer_bytes(self) -> int:
        """What AdamW keeps in a process to train every parameter (ZeRO, arXiv 1910.02054, 3.1)."""
        is_sharded = self.recipe.training.keys() & {"fsdp", "deepspeed"}
        shares = processes.num_processes() if is_sharded else 1
        return int(self.checkpoint.model.num_parameters() * OPTIMIZED / shares)

    @cached_property
    def memory(self) -> float:
        """Bytes that are free where this process trains."""
        return processes.from_main(lambda: hardware.memory(self.recipe.training))

    @property
    def longer(self) -> int | None:
        """How many epochs make enough steps, where the usual ones do not and the recipe is silent:
        after three of a thousand examples BERT has not learned enough (arXiv 2006.05987, 6)."""
        epochs = ceil(STEPS / self._steps_of_epoch)
        is_said = self.recipe.training.keys() & {"max_steps", "num_train_epochs"}
        return None if is_said or epochs <= self._training["num_train_epochs"] else epochs

    @property
    def steps(self) -> int:
        """How many training takes."""
        return self._most_steps or ceil(self._epochs * self._steps_of_epoch)

    @property
    def passes(self) -> float:
        """How many examples training sees, each as often as there are epochs."""
        if self._most_steps:
            return self._most_steps * self._examples_of_step
        return self._epochs * len(self.train)

    @property
    def _most_steps(self) -> int:
        return max(0, self._training.get("max_steps", 0))

    @property
    def _epochs(self) -> float:
        return self.longer or self._training["num_train_epochs"]

    @property
    def _steps_of_epoch(self) -> int:
        return ceil(len(self.train) / self._examples_of_step)

    @property
    def _examples_of_step(self) -> int:
        """In all processes."""
        accumulated = self._training.get("gradient_accumulation_steps", 1)
        size: int = self._training["per_device_train_batch_size"]
        return min(len(self.train), size * accumulated * processes.num_processes())

    @property
    def _training(self) -> dict[str, Any]:
        """What the recipe says of training, and else what is usual."""
        usual = Full().training_defaults(self.task.modality, self.anatomy)
        return {**usual, **self.recipe.training}

    @cached_property
    def minutes(self) -> float:
        """About how long training of all weights takes here: for each example and epoch three
        times as long as a forward pass, as the backward pass is two (arXiv 2001.08361, 2.1)."""
        seconds = self._seconds()
        return processes.from_main(lambda: 3 * seconds * self.passes / 60)

    def _seconds(self) -> float:
        """Of a forward pass, for each of some examples drawn at random, which processes share."""
        rows = np.random.default_rng(0).permutation(len(self.train))[:TIMED]
        collate = self.task.collator(self.checkpoint.processor)
        how = {"row_ids": rows, "bf16": self.fast.get("bf16", False)}
        taken = []
        for _ in range(2):  # the first one prepares kernels
            start = time.perf_counter()
            passes = forward.iter_batches(self.checkpoint.model, self.train, collate, _something, **how)
            taken.append(sum(1 for _ in passes) and time.perf_counter() - start)
        return min(taken) / len(rows)

    @cached_property
    def similarity(self) -> float:
        """How near the features lie to the task as they are: 0 to 1."""
        return similarity.measure(self)


def _something(outputs: Any, _: Any) -> dict[str, Any]:
    """So that a GPU has to be done with it."""
    return {"first": outputs[0].flatten(1)[:, 0]}
