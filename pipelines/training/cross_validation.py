"""Cross-validate what trains by steps: each row is scored by a model that did not see its fold.

job ── without fold 1 ── train ── logits of fold 1 ──┐
    ── without fold 2 ── train ── logits of fold 2 ──┼──▶ out-of-fold logits of all rows
    ── …                                             ┘
    ── train on all rows ────────────────────────────────▶ the model

Every training starts from the same weights. What a fold gave is kept in the cache: neither a run
that was stopped nor one that `auto` has chosen trains it a second time.
"""

import copy
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.core import cache_folder
from pipelines.core.console import capture_stdout, duration, say
from pipelines.core.errors import Interrupted
from pipelines.core.labels import REGRESSION, SINGLE
from pipelines.data import group_draws
from pipelines.features.heads import without_absent
from pipelines.training.fitted import Fitted
from pipelines.training.fold_cache import FoldCache, Logits
from pipelines.training.job import Job, LabeledRows
from pipelines.training.row_subset import RowSubset, examples_of

Train = Callable[[Job], Fitted]


@dataclass(frozen=True)
class CrossValidation:
    """A job with folds, and what trains it.

    Attributes:
        train: `Strategy.fit`, or what stands in its place.
    """

    train: Train
    job: Job

    def fit(self) -> Fitted:
        """Train without each fold in turn, then on all rows.

        Returns:
            The last result, with the out-of-fold logits of all rows.

        Raises:
            Interrupted: a signal asked to stop.
        """
        by_row: Logits = {}
        for fold in self.folds:
            by_row |= self.held_out(fold)
        num_rows = len(self.job.train_targets)
        say(f"{len(self.folds)} folds are done: training on all {num_rows:,} rows")
        fitted = self._train(self.job)
        logits: Any = [by_row[row] for row in range(len(by_row))]
        if self.job.task.prediction_unit == "example":
            logits = np.stack(logits)
        last = {key: entry[key] for entry in fitted.history for key in entry if key == "epoch"}
        score = {f"eval_{self.job.scorer.main}": self.job.main_score({"logits": logits})}
        history = [*fitted.history, {**last, **fitted.chosen, **score}]
        return replace(fitted, history=history, out_of_fold=logits)

    @property
    def folds(self) -> list[int]:
        """The numbers of the folds."""
        assert self.job.folds is not None
        return np.unique(self.job.folds).tolist()

    def rows_of(self, fold: int) -> np.ndarray:
        """Return (rows,) the encoded rows of a fold."""
        assert self.job.folds is not None
        return np.flatnonzero((self.job.folds == fold)[examples_of(self.job.validation)])

    def held_out(self, fold: int) -> Logits:
        """Train without a fold, or look up what that gave, and print its score.

        Raises:
            Interrupted: a signal asked to stop; says which folds are kept.
        """
        started, logits = time.monotonic(), self._cache.load(fold)
        seconds = "trained before"
        if logits is None:
            logits = self._train_without(fold)
            self._cache.save(fold, logits)
            seconds = duration(time.monotonic() - started)
        score = f"{self.job.scorer.main} {self.score(logits):.4f}"
        place = f"fold {self.folds.index(fold) + 1} of {len(self.folds)}"
        # a text of several windows is one row of the user's
        num_rows = len(np.unique(examples_of(self.job.validation)[[*logits]]))
        say(f"{place}: {score} on the {num_rows:,} rows left out ({seconds})")
        return logits

    def score(self, logits: Logits) -> float:
        """Score rows of train, in whatever order, by the metric that chooses."""
        job, rows = self.job, np.array(sorted(logits))
        examples = np.unique(examples_of(job.validation)[rows])
        targets = [job.train_targets[example] for example in examples]
        subset = LabeledRows(RowSubset(job.validation, rows), targets)
        values: Any = [logits[row] for row in rows]
        if job.task.prediction_unit == "example":
            values = np.stack(values)
        # a fold of few rows may lack a class, of which some metrics warn
        with warnings.catch_warnings(action="ignore"):
            return job.main_score({"logits": values}, subset)

    def _train(self, job: Job) -> Fitted:
        """Train from the same random state each time, whether folds were trained or looked up.

        Adapters and new blocks are drawn before the Trainer sets its seed.
        """
        from transformers import set_seed

        set_seed(job.arguments.seed)
        return self.train(job)

    def _train_without(self, fold: int) -> Logits:
        """Train a copy on the rows of the other folds: the logits of the rows of this one."""
        assert self.job.folds is not None
        held = self.rows_of(fold)
        with tempfile.TemporaryDirectory() as folder, capture_stdout():
            job = self._on(self.job.folds != fold, folder)
            try:
                fitted = self._train(job)
            except Interrupted as stop:
                place = f"fold {self.folds.index(fold) + 1} of {len(self.folds)}"
                message = f"{stop} of {place}; {self._advice(fold)}"
                raise Interrupted(message, has_checkpoint=False) from None
            rows = RowSubset(self.job.validation, held)
            outputs = fitted.output.run(
                rows, job.collate, job.task.collect, **self.job.forward_options
            )
        logits = outputs["logits"]
        if self.job.labels.problem_type != REGRESSION:  # a number may be that low
            logits = [without_absent(values) for values in logits]
        return dict(zip(held.tolist(), logits, strict=True))

    def _advice(self, fold: int) -> str:
        """Say how to go on after a stop within a fold, and which folds need no training then."""
        again = "to go on, run the same command again"
        num_kept = sum(map(self._cache.has, self.folds))
        if num_kept:
            return f"{again}: {num_kept} of {len(self.folds)} folds are kept"
        if fold == self.folds[0]:
            return again
        if not self._cache.has_keys:
            return f"{again}: no fold is kept, since these rows have no key in the cache"
        return f"{again}: no fold is kept, since the cache ({cache_folder.path()}) keeps nothing"

    def _on(self, is_used: np.ndarray, folder: str) -> Job:
        """Return the job on some examples, whose own folds choose; it takes as many steps."""
        job, arguments = self.job, copy.copy(self.job.arguments)
        assert job.folds is not None
        arguments.output_dir = folder
        if arguments.max_steps <= 0:
            arguments.num_train_epochs *= len(is_used) / is_used.sum()
        rows = np.flatnonzero(is_used[examples_of(job.validation)])
        targets = [job.train_targets[example] for example in np.flatnonzero(is_used)]
        folds = job.folds[is_used]
        if len(np.unique(folds)) < 2:  # of two folds one is left, and something has to choose
            folds = self._halves(targets, self._units[is_used])
        return replace(
            job,
            checkpoint=replace(job.checkpoint, model=copy.deepcopy(job.checkpoint.model)),
            train=RowSubset(job.train, rows),
            validation=RowSubset(job.validation, rows),
            train_targets=targets,
            validation_targets=targets,
            folds=folds if len(folds) > 1 else None,  # of a single row there are none
            row_groups=job.task.row_groups(targets, job.labels),
            arguments=arguments,
            resume_from=None,
            callbacks=(),
        )

    @cached_property
    def _cache(self) -> FoldCache:
        return FoldCache(self.job, self._units)

    @cached_property
    def _units(self) -> np.ndarray:
        """(examples,) equal numbers from 0 in those that are in one fold."""
        units = self.job.fold_units
        if units is None:
            return np.arange(len(self.job.train_targets))
        return np.unique(units, return_inverse=True)[1]

    def _halves(self, targets: list[Any], units: np.ndarray) -> np.ndarray:
        """Deal some examples to two folds, by class, as `data` deals all to theirs."""
        by_class = self.job.labels.problem_type == SINGLE
        values = np.asarray(targets) if by_class else np.zeros(len(targets))
        return group_draws.halves(values, units, self.job.arguments.seed)
