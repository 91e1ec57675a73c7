"""Learning rates read off the curve of a range test, as fastai's `lr_find` reads them."""

from dataclasses import dataclass

import numpy as np

from pipelines.core.errors import ModelError
from pipelines.tuning.sweep import Sweep

NUM_SKIPPED_LAST = 5  # steps at the end that are not read: the loss is about to diverge there
MIN_FALL_STEPS = 4  # a shorter fall of the loss may be noise


@dataclass(frozen=True)
class RangeTestResult:
    """The curve of a range test, and the rates that it suggests.

    Attributes:
        rates, losses, smoothed: (steps,)
        valley: the rate two thirds into the longest fall of the smoothed loss; None: it never fell.
        steep: the rate at which the smoothed loss falls fastest.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    valley: float | None
    steep: float | None


def read_off(
    sweep: Sweep, losses: list[float], smoothed: list[float], *, diverged: bool
) -> RangeTestResult:
    """Read suggestions off the losses of a test.

    Args:
        losses, smoothed: one entry per step.
        diverged: whether the loss ended the test.

    Raises:
        ModelError: the loss diverged before there was anything to read.
    """
    rates = np.array([sweep.rate(step) for step in range(len(losses))])
    curve = np.array(smoothed)
    # the moving average settles over the first tenth
    middle = slice(sweep.steps // 10, -NUM_SKIPPED_LAST)
    finite = np.isfinite(curve[middle])
    too_few = finite.sum() < MIN_FALL_STEPS
    # without divergence a short test is no error, but gives no suggestion
    if too_few and diverged:
        raise ModelError(
            f"lr-find: the loss diverged after {len(losses)} steps, at a learning rate of "
            f"{rates[-1]:.1e}: too early for a suggestion; start lower (--low), or check the recipe"
        )
    points = rates[middle][finite], curve[middle][finite]
    return RangeTestResult(
        rates, np.array(losses), curve, valley(*points), None if too_few else steep(*points)
    )


def valley(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """Return the rate two thirds into the longest fall of the loss (fastai's default, from ESRI).

    Args:
        rates, losses: (steps,)

    Returns:
        A rate; None where the loss does not fall.
    """
    # lengths[i]: of the longest decreasing subsequence that ends at i; other steps may lie between
    lengths = np.ones(len(losses), int)
    for end in range(1, len(losses)):
        lengths[end] += max(lengths[:end][losses[:end] > losses[end]], default=0)
    end = int(lengths.argmax())
    if lengths[end] < MIN_FALL_STEPS:
        return None
    # as fastai computes it, so that suggestions agree with the published ones
    start, third = end - int(lengths[end]), lengths[end] / 3
    return float(rates[max(0, start) + int(third) + int(third / 2)])


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the rate at which the loss falls fastest over its logarithm (fastai's `steep`).

    Args:
        rates, losses: (steps,)
    """
    # per decade and not per step: the rates rise by a factor
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])
