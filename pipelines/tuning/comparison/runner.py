"""Running the arms of a comparison, each with every seed, on every share of train."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from pipelines.core import console, hardware, processes, startup
from pipelines.core.console import duration, say
from pipelines.core.errors import GraftError, Interrupted, RunError
from pipelines.evaluation.comparison import Comparison
from pipelines.recipe import Recipe
from pipelines.report import compared_runs, comparison_pictures
from pipelines.report.page.comparison import document as page
from pipelines.report.writing import writing
from pipelines.training import trackers
from pipelines.tuning.comparison import arms as comparison_arms
from pipelines.tuning.comparison.arms import ComparisonArm
from pipelines.tuning.comparison.budget import ArmBudget, Budgets, on_rows, on_share
from pipelines.tuning.comparison.cells import CellResults, ComparisonCell
from pipelines.tuning.comparison.folder import ComparisonFolder
from pipelines.tuning.comparison.request import ComparisonRequest
from pipelines.workflow import run as workflow
from pipelines.workflow.rehearsal import rehearse
from pipelines.workflow.resume import runs_folder

# sections whose values change what a simple model learns from, so that each arm has its own
LEARNED_FROM = ("data", "task")


@dataclass(frozen=True)
class ComparisonRunner:
    """A comparison under way."""

    request: ComparisonRequest
    arms: list[ComparisonArm]
    folder: ComparisonFolder
    budgets: Budgets

    @cached_property
    def results(self) -> CellResults:
        """What came of the runs so far."""
        return CellResults(self.folder.path)

    @property
    def cells(self) -> Iterator[ComparisonCell]:
        """Every run: those that are compared with each other, one after the other."""
        first = self.arms[0].recipe.seed
        for fraction in sorted(self.request.fractions, reverse=True):
            for seed in range(first, first + self.request.num_seeds):
                for arm in self.arms:
                    yield ComparisonCell(arm, seed, fraction, self.folder.run(arm, seed, fraction))

    def recipe(self, cell: ComparisonCell) -> Recipe:
        """Return the recipe of a run.

        Raises:
            GraftError: something in recipe, data or checkpoint is wrong.
        """
        with_folds = self.request.is_by_folds
        recipe = on_rows(cell.arm.recipe, cell.seed, with_folds=with_folds)
        if cell.fraction != 1:
            whole = self.budgets.of(1, with_folds=with_folds)
            recipe = on_share(recipe, cell.fraction, whole.num_rows)
        budget = self.budgets.of(cell.fraction, with_folds=with_folds)
        recipe = budget.apply(recipe, self.request.varied)
        # one for all arms: it learns from the same rows
        differs = any(d.key[0] in LEARNED_FROM for d in self.request.space.dimensions)
        has_simple = recipe.simple_model and (differs or cell.arm.number == 1)
        if trackers.names(recipe.training):
            cell_name = cell.run.path.relative_to(self.folder.path / "cells")
            name = f"{recipe.training.get('run_name') or self.group}/{cell_name.as_posix()}"
            recipe = recipe.replace(training={**recipe.training, "run_name": name})
        return recipe.replace(simple_model=has_simple, printed_lines=False)

    @property
    def group(self) -> str:
        """How trackers name the comparison: `compare/<recipe>/<n>`."""
        return "/".join(self.folder.path.absolute().parts[-3:])

    def rehearse(self) -> None:
        """Load the checkpoint of each arm that is not done, before the first one trains.

        Raises:
            GraftError: a checkpoint is wrong, or does not fit; names the arm.
        """
        left = {cell.arm.number for cell in self.cells if not self.results.is_done(cell)}
        as_run = partial(on_rows, seed=self.budgets.seed, with_folds=self.request.is_by_folds)
        named = ((arm.shown.name, as_run(arm.recipe)) for arm in self.arms if arm.number in left)
        rehearse(named, as_run(self.budgets.deciding.recipe))

    def run_cell(self, cell: ComparisonCell) -> None:
        """Run an arm; a failure is a result, too.

        Raises:
            Interrupted: on a signal; what is done is on disk.
        """
        import torch

        started = time.monotonic()
        try:
            with console.capture_stdout():
                recipe = self.recipe(cell)
                self.folder.begin(cell.run)
                with trackers.grouping(recipe.training, self.group):
                    workflow.measure(recipe, cell.run)
        except (Interrupted, KeyboardInterrupt) as stop:
            reason = str(stop) or "interrupted"
            raise Interrupted(f"{reason}; to go on, run the same command again") from None
        except GraftError as error:
            self.results.fail(cell, error)
        except torch.OutOfMemoryError:
            self.results.fail(cell, "out of memory")
        finally:
            hardware.free_memory()
        made = self.results.of(cell)
        score = f"{made.validation:.4f}" if made and made.validation is not None else ""
        say(f"    {score or (made and made.problem)}  {duration(time.monotonic() - started)}")

    def comparison(self) -> Comparison:
        """Collect what was run so far.

        Raises:
            RunError: no run has a score; gives the reason of the first.
        """
        runs = [run for run in map(self.results.of, self.cells) if run]
        done = [cell for cell in self.cells if self.results.is_done(cell)]
        if not done:
            reason = next((run.problem for run in runs), "nothing was run")
            raise RunError(f"{self.folder.path}: no run was finished: {reason}")
        metric, greater = compared_runs.main_metric(done[0].run)
        last = self.budgets.made.get(max(self.request.fractions))
        return Comparison(
            metric=metric,
            greater_is_better=greater,
            arms=tuple(arm.shown for arm in self.arms),
            runs=tuple(runs),
            budget=last.describe(self.request.varied) if last else "",
            folder=self.folder.path.as_posix(),
        )

    def save(self) -> None:
        """Write every number that there is so far."""
        if not processes.is_main() or not any(map(self.results.is_done, self.cells)):
            return
        budgets = {str(share): budget.json() for share, budget in self.budgets.made.items()}
        self.folder.write({"budgets": budgets, **self.comparison().json()})


def run(request: ComparisonRequest) -> Comparison:
    """Run what is not done yet of a comparison, and compare.

    Raises:
        GraftError: recipe, data or checkpoint are wrong, or every run failed.
        Interrupted: on a signal; finished runs are on disk.
    """
    first = request.check()
    startup.initialize(first.training)  # connected, processes agree on the folder
    arms = comparison_arms.of(request)
    root = Path(runs_folder(first)) / "compare"
    folder = ComparisonFolder.of(root, first.name, request.identity)
    made = _made(folder)
    runner = ComparisonRunner(request, arms, folder, Budgets(arms, first.seed, made))
    cells, results = [*runner.cells], runner.results
    say(f"{folder.path}: {len(arms)} arms, {request.num_seeds} seeds, {len(cells)} runs")
    num_done = sum(map(results.is_done, cells))
    if num_done:
        say(f"{num_done} of them are done")
    # a mistake in data or checkpoint ends here in one message, and not in each run
    for fraction in {cell.fraction: None for cell in cells if not results.is_done(cell)}:
        runner.budgets.of(fraction, with_folds=request.is_by_folds)
    runner.rehearse()
    for number, cell in enumerate(cells, 1):
        if not results.is_done(cell):
            say(f"run {number} of {len(cells)}  {cell}")
            runner.run_cell(cell)
            runner.save()
    compared = runner.comparison()
    if processes.is_main():
        runner.save()
        _draw(folder.path, compared)
        page.draw(folder.path)
    return compared


def _made(folder: ComparisonFolder) -> dict[float, ArmBudget]:
    """Return the budgets of an earlier part of the comparison."""
    budgets = folder.state.get("budgets")
    if not isinstance(budgets, dict):
        return {}
    return {float(share): ArmBudget.from_json(values) for share, values in budgets.items()}


def _draw(folder: Path, compared: Comparison) -> None:
    with writing(folder):
        comparison_pictures.draw_curves(folder / "curves.png", compared)
        if len(compared.fractions) > 1:
            comparison_pictures.draw_efficiency(folder / "efficiency.png", compared)
