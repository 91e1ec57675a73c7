"""A recipe with everything loaded that it names: ready to train, or to look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.labels import SINGLE
from pipelines.core.losses import CrossEntropy
from pipelines.data import group_folds
from pipelines.data.duplicates import RowHashes
from pipelines.data.folds import DEFAULT_FOLDS
from pipelines.recipe import Recipe
from pipelines.tasks.augmentations import AugmentedCollator
from pipelines.training import arguments as training_arguments
from pipelines.training.parallel_rows import ParallelRows

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import TrainingArguments

    from pipelines.data import Data
    from pipelines.data.findings import Findings
    from pipelines.evaluation.forgetting import ProbeRows
    from pipelines.evaluation.scorer import Scorer
    from pipelines.models.load import Checkpoint
    from pipelines.training.job import Collate
    from pipelines.training.target_scale import TargetScale

MIN_CHOOSING_ROWS = 100  # of validation: with fewer, each moves an accuracy by more than a point
MAX_FOLDED_ROWS = 10_000  # of train, whose heads are solved five times in seconds


@dataclass(frozen=True)
class Prepared:
    """Everything that training and evaluation need.

    Attributes:
        recipe: the resolved recipe, nothing of which is left open.
        encoded: split -> rows of model inputs; validation is train, if that is folded.
        targets: split -> what predictions are compared with.
        beside: split -> rows for each of the checkpoints beside the first.
        stream: all of train, encoded while it is read; None if train is loaded.
        target: encoded rows of the target domain, without labels; None where there is none. What
            is scored of it is the split "target" of `encoded` and `targets`.
        target_scale: by which training may standardize numbers to predict; None where it cannot.
        others: raw rows of another source, to be told from those of the run; None without one.
        probe_rows: rows of another task, to see what training left of it; None without one.
        held_out: raw rows whose texts are left out of every split, such as the test split of a
            later stage; None without such rows.
        reason: why `strategy: auto` chose its strategy; empty without a choice.
        compared: the strategies that it scored to choose by, on rows that they had not seen.
    """

    recipe: Recipe
    data: "Data"
    checkpoint: "Checkpoint"
    scorer: "Scorer"
    encoded: dict[str, Any]
    targets: dict[str, list[Any]]
    findings: "Findings"
    beside: tuple[dict[str, Any], ...] = ()
    stream: Any | None = None
    target: Any | None = None
    target_scale: "TargetScale | None" = None
    others: "Dataset | None" = None
    probe_rows: "ProbeRows | None" = None
    held_out: "Dataset | None" = None
    reason: str = ""
    compared: tuple[str, ...] = ()

    def rows(self, split: str) -> Any:
        """Return the encoded rows of a split as a trained output reads them."""
        first = self.encoded[split]
        if not self.beside:
            return first
        return ParallelRows((first, *(encoded[split] for encoded in self.beside)))

    @cached_property
    def folds(self) -> "np.ndarray | None":
        """(rows,) the fold of each row of train; None where a split validates.

        Raises:
            DataError: of train a single row, or group, is left.
        """
        return self._dealt(self.data.num_folds) if self.data.is_folded else None

    @cached_property
    def choosing_folds(self) -> "np.ndarray | None":
        """(rows,) the fold of each row of train, where validation has too few rows to choose by.

        Of 20 rows, several poolings and penalties are equal by chance. None where validation
        chooses, or is train itself, or nothing is solved.
        """
        solves = self.recipe.strategy.has_solved_head(self.recipe.task)
        if not solves or self.data.is_folded or self.stream is not None:
            return None
        is_small = len(self.targets["validation"]) < MIN_CHOOSING_ROWS
        if not is_small or self.num_examples > MAX_FOLDED_ROWS:
            return None
        groups = self.data.splits["train"].groups
        num_folds = min(DEFAULT_FOLDS, groups.count if groups else len(np.unique(self._repeats)))
        return self._dealt(num_folds) if num_folds > 1 else None

    def _dealt(self, num_folds: int) -> np.ndarray:
        targets, train = self.targets["train"], self.data.splits["train"]
        by_class = self.data.labels.problem_type == SINGLE
        values = train.by_source(np.asarray(targets) if by_class else np.zeros(len(targets)))
        return group_folds.deal(train, values, self._repeats, num_folds, self.recipe.seed, note=say)

    @cached_property
    def fold_units(self) -> "np.ndarray | None":
        """(rows,) equal in rows of train that are in one fold; None where a split validates."""
        if not self.data.is_folded:
            return None
        train, num_folds = self.data.splits["train"], self.data.num_folds
        # what is not kept together was noted when they were dealt
        return group_folds.units(train, self._repeats, num_folds, note=lambda _: None)

    @cached_property
    def _repeats(self) -> "np.ndarray":
        """(rows,) equal in rows of train with the same inputs.

        A text that stands in two folds would be scored by a head that has seen it.
        """
        return RowHashes.of(self.data.splits["train"], self.recipe.task.target).normalized

    @property
    def num_examples(self) -> int:
        """Number of training examples; of a stream, those that its steps will read."""
        if self.stream is None:
            return len(self.targets["train"])
        arguments = self.arguments()
        num_batches = arguments.max_steps * arguments.gradient_accumulation_steps
        return num_batches * arguments.train_batch_size * processes.num_processes()

    def arguments(self, checkpoints: Path = Path()) -> "TrainingArguments":
        """Build the Trainer's arguments; it writes checkpoints to the folder `checkpoints`."""
        return training_arguments.arguments(self.recipe.training, self.scorer, checkpoints)

    @property
    def collate(self) -> "Collate":
        """Collator of batches that are evaluated."""
        return self.recipe.task.collator(self.checkpoint.processor)

    @property
    def collate_train(self) -> "Collate":
        """Collator of batches to train on, with augmentation of whole batches (mixup, cutmix)."""
        collate = self.recipe.task.collator(self.checkpoint.processor, training=True)
        augment = self._augment_batch
        return AugmentedCollator(collate, augment) if augment else collate

    @property
    def loss(self) -> Callable[..., Any] | None:
        """The loss, where the model's own lacks something: class weights, mixed labels, focal."""
        loss = self.recipe.task.loss(self.targets["train"], self.data.labels)
        focal = self.recipe.regularization.focal
        # the models' own losses know no exponent, and no shares of several classes
        if loss is None and (self._augment_batch or focal):
            loss = CrossEntropy()
        if focal and isinstance(loss, CrossEntropy):
            loss = replace(loss, focal=focal)
        smoothing = self.recipe.training.get("label_smoothing_factor") or 0.0
        if smoothing and isinstance(loss, CrossEntropy):  # the Trainer smooths the model's own only
            return replace(loss, label_smoothing=smoothing)
        return loss

    @property
    def _augment_batch(self) -> Callable[[Any], Any] | None:
        augmentation = self.recipe.augmentation
        return augmentation.batch(self.data.labels) if augmentation else None
