"""What trains when: the stages of a run, each with its depths and its own course of learning rate.

progress of the run ── Plan.at ──▶ stage, progress in it ── course ──▶ share of the learning rate
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Course = Callable[[float], float]  # progress, 0 to 1 -> share of the highest rate
Schedule = Literal["one_cycle", "slanted_triangular"]


def one_cycle(progress: float) -> float:
    """Rise from a fifth within 0.3 of the way, then fall to nothing, along cosines.

    As `fine_tune` of fastai (arXiv 2002.04688), after Smith (arXiv 1803.09820).
    """
    # fastai's numbers: `div` 5, `pct_start` 0.3, and `div_final` 1e5 at the end
    if progress < 0.3:
        return _cosine(0.2, 1.0, progress / 0.3)
    return _cosine(1.0, 1e-5, (progress - 0.3) / 0.7)


def slanted_triangular(progress: float) -> float:
    """Rise within a tenth of the way, then fall, from and to a 32nd (arXiv 1801.06146, 3.2)."""
    # the paper's cut_frac 0.1 and ratio 32: from 1 / 32 to 1 and back
    height = progress / 0.1 if progress < 0.1 else 1 - (progress - 0.1) / 0.9
    return (1 + height * 31) / 32


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


COURSES: dict[Schedule, Course] = {
    "one_cycle": one_cycle,
    "slanted_triangular": slanted_triangular,
}


@dataclass(frozen=True)
class Stage:
    """A stretch of a run in which the same layers train.

    Attributes:
        depths: which of `Anatomy.depths` train; the rest is frozen, and in eval mode.
        length: in the unit of all stages of a run, such as epochs.
        course: progress in the stage -> share of its highest learning rate.
        peak: the highest learning rate as a share of `training.learning_rate`.
    """

    depths: tuple[int, ...]
    length: float
    course: Course
    peak: float = 1.0


@dataclass(frozen=True)
class Plan:
    """The stages of a run, one after the other; all of it follows from the progress of the run."""

    stages: tuple[Stage, ...]

    def at(self, progress: float) -> tuple[int, float]:
        """Find the stage at a progress of the run, 0 to 1: (its number, progress in it)."""
        passed = progress * sum(stage.length for stage in self.stages)
        for number, stage in enumerate(self.stages[:-1]):
            # a step that ends a stage to within rounding begins the next one
            if passed < stage.length * (1 - 1e-9):
                return number, passed / stage.length
            passed -= stage.length
        return len(self.stages) - 1, min(1.0, max(0.0, passed / self.stages[-1].length))

    def lr_factor(self, progress: float) -> float:
        """Compute the rate at a progress of the run, as a share of `training.learning_rate`."""
        number, inside = self.at(progress)
        return self.stages[number].peak * self.stages[number].course(inside)
