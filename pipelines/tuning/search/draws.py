"""Which values a trial tries: a draw that follows from the seed, or a point of a small space."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.trial import FrozenTrial

from pipelines.tuning.search.space import Point, Space


class Draws:
    """The draws of a search.

    Args:
        max_trials: the number of trials in total; fewer if the space has fewer points.
    """

    def __init__(self, space: Space, max_trials: int, seed: int) -> None:
        grid = space.grid(max_trials)
        self.seed = seed
        self.points = None if grid is None else [_as_parameters(point) for point in grid]
        self.max_trials = max_trials if grid is None else len(grid)

    def sampler(self, number: int, draw: int, taken: Sequence[FrozenTrial]) -> BaseSampler:
        """Seed a sampler anew, or fix it at the next point of a small space.

        Args:
            number: of the trial, from 0.
            draw: how many draws of this trial were duplicates.
            taken: trials that are finished, or under way, whose points are taken.
        """
        # the state of a sampler is not in the storage: a new one per trial makes draws repeatable
        seeds = np.random.SeedSequence([self.seed, number, draw]).generate_state(1)
        sampler = TPESampler(seed=int(seeds[0]))
        if self.points is None:
            return sampler
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return PartialFixedSampler(self.untried(taken)[0], sampler)

    def untried(self, taken: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
        """List the points of a small space that no trial has, in their order."""
        tried = [trial.params for trial in taken]
        return [point for point in self.points or () if point not in tried]


def _as_parameters(point: Point) -> dict[str, Any]:
    """Return a point in the form of Optuna's `params`."""
    return {dimension.name: value for dimension, value in point}


@dataclass(frozen=True)
class SearchTrial:
    """A trial as all processes know it.

    Attributes:
        texts: dimension -> value, as it would be typed.
        duplicate_score: the score of an earlier trial with the same values; None without one.
    """

    number: int
    texts: dict[str, str]
    duplicate_score: float | None = None

    def __str__(self) -> str:
        return "  ".join(f"{name.partition(' ')[0]}={text}" for name, text in self.texts.items())


def free_number(trials: Sequence[FrozenTrial]) -> int:
    """Return the first number, from 1, that no trial has: that of a lost one is free again."""
    numbers = {trial.user_attrs["number"] for trial in trials}
    return next(number for number in count(1) if number not in numbers)
