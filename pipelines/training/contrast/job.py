"""A job -> the same one on pairs of its rows, whose cosines are the loss."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.training.contrast.loss import CosineLoss
from pipelines.training.contrast.pairs import Pairs
from pipelines.training.job import Job

# what training does here whatever the recipe says: nothing can be scored before the head is there,
# and pairs come in the order in which classes take turns
FIXED_ARGUMENTS: dict[str, Any] = {
    "eval_strategy": "no",
    "eval_on_start": False,
    "load_best_model_at_end": False,
    "train_sampling_strategy": "sequential",
    "label_smoothing_factor": 0.0,
}
MIN_STEPS = 50  # of an epoch, however few rows there are
MAX_STEPS = 1_000  # of an epoch, however many


def on_pairs(job: Job, draws: int) -> Job:
    """Replace the rows that an epoch reads by pairs of them, and the task's loss.

    Args:
        draws: how many times an epoch draws each row.
    """
    arguments, targets = copy.copy(job.arguments), np.asarray(job.train_targets)
    for name, value in FIXED_ARGUMENTS.items():
        setattr(arguments, name, value)
    seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
    groups = [np.flatnonzero(targets == label) for label in np.unique(targets)]
    step = arguments.train_batch_size * arguments.gradient_accumulation_steps
    length = num_pairs(len(targets), draws, step * arguments.world_size)
    return replace(
        job,
        train=Pairs(job.train, groups, length, seed),
        loss=CosineLoss(),
        row_groups=None,
        arguments=arguments,
    )


def num_pairs(num_rows: int, draws: int, step: int) -> int:
    """Return the length of an epoch: `draws` of each row, within the bounds on steps.

    Args:
        step: the pairs of an optimizer step.
    """
    return max(MIN_STEPS * step, min(num_rows * draws // 2, MAX_STEPS * step))


def plan(job: Job) -> str:
    """Say how many pairs there will be, and of what."""
    pairs = job.train
    num_rows = len(pairs.rows)
    return (
        f"contrastive: {num_rows:,} examples of {len(pairs.groups):,} classes; an epoch is "
        f"{len(pairs):,} pairs of one class, each example drawn about "
        f"{2 * len(pairs) / num_rows:.0f} times"
    )
