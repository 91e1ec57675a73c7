"""The learning-rate range test: which rates make the loss fall (Smith, arXiv 1506.01186).

One short training, in which the rate rises by the same factor from each step to the next. What is
suggested is read off the smoothed loss as fastai's `lr_find` does it. Nothing of the model is kept.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import console, hardware
from pipelines.core.console import say
from pipelines.core.errors import ModelError, RecipeError
from pipelines.report.run_folder import writing
from pipelines.tuning import rate_curve
from pipelines.workflow import run as pipeline

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.tuning.range_test import RangeTest
    from pipelines.workflow.prepare import Prepared

LAST = 5  # steps that are not read, nor is the first tenth: the average is still settling
FEWEST = 20  # steps of which something can be read off
LONG = 4  # steps that are a fall, and not noise
TOLD = 12  # lines of the table
# no evaluation, no checkpoint, no schedule of its own; each step is logged, and nan is nan
QUIET: dict[str, Any] = {
    "eval_strategy": "no",
    "eval_on_start": False,
    "save_strategy": "no",
    "load_best_model_at_end": False,
    "lr_scheduler_type": "constant",
    "lr_scheduler_kwargs": None,
    "warmup_steps": 0,
    "logging_strategy": "steps",
    "logging_steps": 1,
    "logging_nan_inf_filter": False,
    "report_to": "none",
    "disable_tqdm": True,
}


@dataclass(frozen=True)
class Sweep:
    """The rates of a test: `steps` of them, from `low` to `high`.

    Raises:
        RecipeError: they do not rise, or are too few.
    """

    low: float = 1e-7
    high: float = 1.0
    steps: int = 100

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high and isfinite(self.high)):
            told = f"--low {self.low:g} --high {self.high:g}"
            raise RecipeError(f"command line: {told}: expected rates with 0 < low < high")
        if self.steps < FEWEST:
            raise RecipeError(f"command line: --steps {self.steps}: expected at least {FEWEST}")

    def rate(self, step: int) -> float:
        """The base rate of a step, counted from 0."""
        return self.low * (self.high / self.low) ** (step / (self.steps - 1))


@dataclass(frozen=True)
class Found:
    """What was seen, one entry a step, and what follows from it.

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


def refuse(recipe: "Recipe") -> None:
    """Say it where there is no rate to find.

    Raises:
        RecipeError: the strategy takes no gradient steps.
    """
    strategy = recipe.strategy
    if strategy.no_gradient_reason:
        raise RecipeError(
            f"strategy '{strategy.name}': {strategy.no_gradient_reason}; lr-find needs one "
            "that takes gradient steps, such as strategy=full or strategy=lora"
        )


def run(recipe: "Recipe", sweep: Sweep, command: str) -> None:
    """Test the rates of `sweep` on what `recipe` would train on; print and draw what came of it.

    Args:
        command: the one that would train, without a rate.

    Raises:
        GraftError: as a run does before its first step.
        Interrupted: on a signal.
    """
    refuse(recipe)
    prepared = pipeline.prepare(recipe, test=False)
    refuse(prepared.recipe)  # what `auto` chose
    folder = Path(pipeline.root(recipe)) / recipe.name
    found = _test(prepared, sweep)
    if console.is_main():
        stem = folder / f"lr_find_{prepared.recipe.strategy.name}"
        own = prepared.recipe.training.get("learning_rate")
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _write(stem.with_suffix(".csv"), found)
            rate_curve.draw(stem.with_suffix(".png"), found, own)
        for line in _told(found, stem, command, own):
            say(line)


def _test(prepared: "Prepared", sweep: Sweep) -> Found:
    from pipelines.tuning.range_test import RangeTest

    said = prepared.recipe.training
    training = {**said, **QUIET, "max_steps": sweep.steps, "learning_rate": sweep.high}
    silence_transformers = replace(prepared, recipe=prepared.recipe.replace(training=training))
    with TemporaryDirectory() as checkpoints, console.capture_stdout() as tell:

        def seen(step: int, rate: float, loss: float, smoothed: float) -> None:
            if step % -(-sweep.steps // TOLD) == 0:
                tell(f"{step + 1:>5}  {rate:>9.1e}  {loss:>9.4f}  {smoothed:>9.4f}")

        job = pipeline.job_of(silence_transformers, Path(checkpoints))
        test = RangeTest(sweep.rate, seen)
        strategy, where = silence_transformers.recipe.strategy, hardware.describe(job.arguments)
        tell(f"range test of {strategy.name}, at most {sweep.steps} steps, {where}")
        tell(f"{'step':>5}  {'rate':>9}  {'loss':>9}  {'smoothed':>9}")
        strategy.fit(replace(job, callbacks=(test,)))
        if test.diverged:
            tell(f"stopped after {len(test.losses)} steps: the loss left what it had reached")
    return _read(test, sweep)


def _read(test: "RangeTest", sweep: Sweep) -> Found:
    rates = np.array([sweep.rate(step) for step in range(len(test.losses))])
    losses, smoothed = np.array(test.losses), np.array(test.smoothed)
    part = slice(sweep.steps // 10, -LAST)
    kept = np.isfinite(smoothed[part])
    few = kept.sum() < LONG
    if few and test.diverged:
        raise ModelError(
            f"lr-find: the loss was lost after {len(losses)} steps, at {rates[-1]:.1e}: nothing to "
            "read off; start lower (--low), or look at the recipe"
        )
    read = rates[part][kept], smoothed[part][kept]
    return Found(rates, losses, smoothed, valley(*read), None if few else steep(*read))


def valley(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """Two thirds into the longest fall, which may pause (fastai's default; the idea is ESRI's).

    Args:
        rates, losses: (steps,)

    Returns:
        A rate; None where the loss does not fall.
    """
    lengths = np.ones(len(losses), int)  # of the longest series of ever lower losses up to here
    for end in range(1, len(losses)):
        lengths[end] += max(lengths[:end][losses[:end] > losses[end]], default=0)
    end = int(lengths.argmax())
    if lengths[end] < LONG:
        return None
    start, third = end - int(lengths[end]), lengths[end] / 3
    return float(rates[max(0, start) + int(third) + int(third / 2)])


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Where the loss falls fastest over the logarithm of the rate (fastai's `steep`)."""
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])


def _write(path: Path, found: Found) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "rate", "loss", "smoothed"])
        columns = zip(found.rates, found.losses, found.smoothed, strict=True)
        table.writerows([step, *map(float, row)] for step, row in enumerate(columns, start=1))


def _told(found: Found, stem: Path, command: str, own: float | None) -> Iterator[str]:
    picture, points = stem.with_suffix(".png").as_posix(), stem.with_suffix(".csv").as_posix()
    yield f"picture: {picture}; points: {points}"
    if found.valley is None or found.steep is None:
        yield "no suggestion: the loss did not fall at any rate; try others (--low, --high)"
        return
    yield f"valley {found.valley:.1e}  two thirds into the longest fall of the loss: the suggestion"
    yield f"steep  {found.steep:.1e}  where the loss falls fastest; varies more from test to test"
    if own:
        yield f"recipe {own:.1e}  what would be trained at otherwise"
    yield f"{command} training.learning_rate={found.valley:.1e}"
