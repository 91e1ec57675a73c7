"""Running the arms of a comparison, each with every seed, on every share of train."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core import console, processes, startup
from pipelines.core.console import duration, printable, say
from pipelines.core.errors import GraftError, Interrupted, RunError
from pipelines.evaluation.compared import ComparedRun
from pipelines.evaluation.comparison import Comparison
from pipelines.recipe import Recipe
from pipelines.report import compared_runs, comparison_pictures
from pipelines.report.page.comparison import document as page
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing
from pipelines.training import trackers
from pipelines.tuning.comparison import arms as comparison_arms
from pipelines.tuning.comparison.arms import ComparisonArm
from pipelines.tuning.comparison.budget import ArmBudget, Budgets, on_rows, on_share
from pipelines.tuning.comparison.folder import ComparisonFolder
from pipelines.tuning.comparison.request import ComparisonRequest
from pipelines.workflow import run as workflow
from pipelines.workflow.resume import runs_folder

MAX_PROBLEM_LETTERS = 400
# sections whose values change what a simple model learns from, so that each arm has its own
LEARNED_FROM = ("data", "task")


@dataclass(frozen=True)
class ComparisonCell:
    """An arm with one seed on a share of train, and the folder of its run."""

    arm: ComparisonArm
    seed: int
    fraction: float
    run: RunFolder

    def __str__(self) -> str:
        share = "" if self.fraction == 1 else f", {100 * self.fraction:g} % of train"
        return f"{self.arm.shown.name}, seed {self.seed}{share}"


@dataclass(frozen=True)
class ComparisonRunner:
    """A comparison under way.

    Attributes:
        problems: why runs failed, by their folders.
        numbers: of runs that are done, by their folders.
    """

    request: ComparisonRequest
    arms: list[ComparisonArm]
    folder: ComparisonFolder
    budgets: Budgets
    problems: dict[Path, str] = field(default_factory=dict)
    numbers: dict[Path, ComparedRun] = field(default_factory=dict)

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
            self.problems[cell.run.path] = printable(error, MAX_PROBLEM_LETTERS)
        except torch.OutOfMemoryError:
            self.problems[cell.run.path] = "out of memory"
        finally:
            _free_memory()
        made = self.read(cell)
        score = f"{made.validation:.4f}" if made and made.validation is not None else ""
        say(f"    {score or (made and made.problem)}  {duration(time.monotonic() - started)}")

    def read(self, cell: ComparisonCell) -> ComparedRun | None:
        """Return the numbers of a run, or why there are none; None before it was run."""
        path, arm = cell.run.path, cell.arm.shown.name
        name = path.relative_to(self.folder.path).as_posix()
        problem = self.problems.get(path, "")
        try:
            if cell.run.done and path not in self.numbers:
                self.numbers[path] = compared_runs.read(
                    cell.run, arm=arm, seed=cell.seed, fraction=cell.fraction, name=name
                )
        except RunError as error:
            problem = printable(error, MAX_PROBLEM_LETTERS)
        if path in self.numbers or not problem:
            return self.numbers.get(path)
        fraction = cell.fraction
        return ComparedRun(arm=arm, seed=cell.seed, fraction=fraction, folder=name, problem=problem)

    def is_done(self, cell: ComparisonCell) -> bool:
        """Whether a run has numbers; one whose files are damaged is run again."""
        made = self.read(cell)
        return made is not None and not made.problem

    def comparison(self) -> Comparison:
        """Collect what was run so far.

        Raises:
            RunError: no run has a score; gives the reason of the first.
        """
        runs = [run for run in map(self.read, self.cells) if run]
        done = [cell for cell in self.cells if self.is_done(cell)]
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
        if not processes.is_main() or not any(map(self.is_done, self.cells)):
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
    cells = [*runner.cells]
    say(f"{folder.path}: {len(arms)} arms, {request.num_seeds} seeds, {len(cells)} runs")
    num_done = sum(map(runner.is_done, cells))
    if num_done:
        say(f"{num_done} of them are done")
    # a mistake in data or checkpoint ends here in one message, and not in each run
    for fraction in {cell.fraction: None for cell in cells if not runner.is_done(cell)}:
        runner.budgets.of(fraction, with_folds=request.is_by_folds)
    for number, cell in enumerate(cells, 1):
        if not runner.is_done(cell):
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


def _free_memory() -> None:
    """Free the memory of a model before the next one is loaded."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)
