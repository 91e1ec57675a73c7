"""The learning-rate range test: which rates make the loss fall (Smith, arXiv 1506.01186).

One short training, in which the rate rises by the same factor from each step to the next. The
suggestion is read off the smoothed loss as in fastai's `lr_find`. The trained weights are dropped.
"""

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.core import console, hardware, processes
from pipelines.core.console import say
from pipelines.core.errors import DivergedError, RecipeError
from pipelines.report.writing import writing
from pipelines.tuning import rate_curve
from pipelines.tuning.suggestions import RangeTestResult, read_off
from pipelines.tuning.sweep import Sweep
from pipelines.workflow.prepare import prepare
from pipelines.workflow.resume import runs_folder
from pipelines.workflow.train import job_of

if TYPE_CHECKING:
    from pipelines.recipe import Recipe
    from pipelines.workflow.prepared import Prepared

MAX_TABLE_LINES = 12
# no evaluation, checkpoint or schedule; every loss is logged, and a NaN is not replaced
OVERRIDES: dict[str, Any] = {
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


def require_gradient_steps(recipe: "Recipe") -> None:
    """Refuse a recipe that has no learning rate.

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
    """Run a range test on what `recipe` would train; print suggestions, write curve and table.

    Args:
        command: the command that would train, without a learning rate.

    Raises:
        GraftError: as a run does before its first step.
        Interrupted: on a signal.
    """
    require_gradient_steps(recipe)
    # the rate is chosen by it, so test must not be loaded
    prepared = prepare(recipe, test=False)
    require_gradient_steps(prepared.recipe)  # `auto` may have chosen a solved head
    if prepared.recipe.strategy.name == "auto":
        raise RecipeError(
            "strategy 'auto': of so few rows a run compares several strategies, each with a rate "
            "of its own; name one, such as strategy=full"
        )
    folder = Path(runs_folder(recipe)) / recipe.name
    result = _test(prepared, sweep)
    if processes.is_main():
        stem = folder / f"lr_find_{prepared.recipe.strategy.name}"
        recipe_rate = prepared.recipe.training.get("learning_rate")
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _write(stem.with_suffix(".csv"), result)
            rate_curve.draw(stem.with_suffix(".png"), result, recipe_rate)
        for line in _report(result, stem, command, recipe_rate):
            say(line)


def _test(prepared: "Prepared", sweep: Sweep) -> RangeTestResult:
    from pipelines.tuning.range_test import RangeTest

    training = {
        **prepared.recipe.training,
        **OVERRIDES,
        "max_steps": sweep.steps,
        # the rate that RangeTest scales every group from
        "learning_rate": sweep.high,
    }
    prepared = replace(prepared, recipe=prepared.recipe.replace(training=training))
    # a strategy may save what it trained; nothing of it is worth keeping
    with TemporaryDirectory() as checkpoints, console.capture_stdout() as echo:

        def print_step(step: int, rate: float, loss: float, smoothed: float) -> None:
            """Print a line for some of the steps, at most MAX_TABLE_LINES in all."""
            every = -(-sweep.steps // MAX_TABLE_LINES)  # rounded up
            if step % every == 0:
                echo(f"{step + 1:>5}  {rate:>9.1e}  {loss:>9.4f}  {smoothed:>9.4f}")

        job = job_of(prepared, Path(checkpoints))
        test = RangeTest(sweep.rate, print_step)
        strategy, device = prepared.recipe.strategy, hardware.describe(job.arguments)
        echo(f"range test of {strategy.name}, at most {sweep.steps} steps, {device}")
        echo(f"{'step':>5}  {'rate':>9}  {'loss':>9}  {'smoothed':>9}")
        # the test is over when a head would be solved, and may have ended in NaN as it should
        with suppress(DivergedError), prepared.recipe.data.reading():
            strategy.fit(replace(job, callbacks=(test,)))
        if test.diverged:
            echo(f"stopped after {len(test.losses)} steps: the loss diverged")
    return read_off(sweep, test.losses, test.smoothed, diverged=test.diverged)


def _write(path: Path, result: RangeTestResult) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "rate", "loss", "smoothed"])
        columns = zip(result.rates, result.losses, result.smoothed, strict=True)
        table.writerows([step, *map(float, row)] for step, row in enumerate(columns, start=1))


def _report(
    result: RangeTestResult, stem: Path, command: str, recipe_rate: float | None
) -> Iterator[str]:
    picture, points = stem.with_suffix(".png").as_posix(), stem.with_suffix(".csv").as_posix()
    yield f"picture: {picture}; points: {points}"
    if result.valley is None or result.steep is None:
        # a suggestion from a curve that never falls would be noise
        yield "no suggestion: the loss did not fall at any rate; try others (--low, --high)"
        return
    yield f"valley {result.valley:.1e}  two thirds into the longest fall of the loss: suggested"
    yield f"steep  {result.steep:.1e}  where the loss falls fastest; varies more between tests"
    if recipe_rate:
        yield f"recipe {recipe_rate:.1e}  the learning rate in the recipe"
    yield f"{command} training.learning_rate={result.valley:.1e}"
