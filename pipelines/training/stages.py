"""What trains when: the stages of a run, each with its depths and a course of its own for the rate.

progress of the run ── Plan.at ──▶ stage, progress in it ── course ──▶ share of the rate
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Course = Callable[[float], float]  # progress, 0 to 1 -> share of the highest rate
Schedule = Literal["one_cycle", "slanted_triangular"]


def one_cycle(progress: float) -> float:
    """Up from a fifth within 0.3 of the way, then down to nothing, along cosines: `fine_tune` of
    fastai (arXiv 2002.04688), after Smith (1803.09820)."""
    if progress < 0.3:
        return _cosine(0.2, 1.0, progress / 0.3)
    return _cosine(1.0, 1e-5, (progress - 0.3) / 0.7)


def slanted_triangular(progress: float) -> float:
    """Up within a tenth of the way, then down, from and to a 32nd (arXiv 1801.06146, 3.2)."""
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
    """A part of a run.

    Attributes:
        depths: which of `Anatomy.depths` train; the rest is frozen, and in eval mode.
        length: as a multiple of what the others' lengths are multiples of, such as epochs.
        course: how the rate goes from its start to its end.
        peak: the highest rate as a share of `training.learning_rate`.
    """

    depths: tuple[int, ...]
    length: float
    course: Course
    peak: float = 1.0


@dataclass(frozen=True)
class Plan:
    """The stages of a run, one after the other; all of it follows from the progress made."""

    stages: tuple[Stage, ...]

    def at(self, progress: float) -> tuple[int, float]:
        """Progress of the run, 0 to 1 -> (number of its stage, progress in that)."""
        passed = progress * sum(stage.length for stage in self.stages)
        for number, stage in enumerate(self.stages[:-1]):
            if passed < stage.length * (1 - 1e-9):
                return number, passed / stage.length
            passed -= stage.length
        return len(self.stages) - 1, min(1.0, max(0.0, passed / self.stages[-1].length))

    def rate(self, progress: float) -> float:
        """The rate as a share of `training.learning_rate`."""
        number, inside = self.at(progress)
        return self.stages[number].peak * self.stages[number].course(inside)
