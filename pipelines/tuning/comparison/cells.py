"""The runs of a comparison: each an arm with a seed on a share of train, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core.console import printable
from pipelines.core.errors import RunError
from pipelines.evaluation.compared import ComparedRun
from pipelines.report import compared_runs
from pipelines.report.run_folder import RunFolder
from pipelines.tuning.comparison.arms import ComparisonArm

MAX_PROBLEM_LETTERS = 400


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
class CellResults:
    """What came of the runs so far.

    Attributes:
        folder: of the comparison.
        problems: why runs failed, by their folders.
        numbers: of runs that are done, by their folders.
    """

    folder: Path
    problems: dict[Path, str] = field(default_factory=dict)
    numbers: dict[Path, ComparedRun] = field(default_factory=dict)

    def fail(self, cell: ComparisonCell, reason: object) -> None:
        """Note why a run failed, which is a result, too."""
        self.problems[cell.run.path] = printable(reason, MAX_PROBLEM_LETTERS)

    def of(self, cell: ComparisonCell) -> ComparedRun | None:
        """Return the numbers of a run, or why there are none; None before it was run."""
        path, arm = cell.run.path, cell.arm.shown.name
        name = path.relative_to(self.folder).as_posix()
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
        """Return whether a run has numbers; one whose files are damaged is run again."""
        made = self.of(cell)
        return made is not None and not made.problem
