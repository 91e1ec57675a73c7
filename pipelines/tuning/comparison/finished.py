"""Comparing finished runs: those of one recipe with several seeds are an arm."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.core.console import printable
from pipelines.core.errors import RunError
from pipelines.evaluation.compared import ComparedArm, ComparedRun
from pipelines.evaluation.comparison import Comparison
from pipelines.recipe import Recipe
from pipelines.report import compared_runs, lock
from pipelines.report.privacy import without_paths
from pipelines.workflow.finished_run import Run

# sections that a run's scores do not follow from
UNSCORED = ("name", "hub", "simple_model", "printed_lines")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run with its recipe."""

    run: Run
    recipe: Recipe

    @property
    def shown(self) -> str:
        """Recipe and number; no path of this machine."""
        return printable(f"{self.run.path.parent.name}/{self.run.path.name}")

    @property
    def checkpoint(self) -> str:
        """The Hub id, or the last component of a folder."""
        return printable(without_paths(self.recipe.model.checkpoint))

    @cached_property
    def identity(self) -> str:
        """What its scores follow from, but for the seed."""
        values: dict[str, Any] = lock.resolved(self.recipe)
        rest = {key: value for key, value in values.items() if key not in UNSCORED}
        training = values["training"].items()
        rest["training"] = {k: v for k, v in training if k not in ("seed", "output_dir")}
        return json.dumps(rest, sort_keys=True)


def compare(paths: Sequence[str | Path]) -> Comparison:
    """Compare finished runs by validation; nothing is computed but differences.

    Raises:
        RunError: fewer than two runs, one that is not finished, or runs of other data or metrics.
    """
    opened = [Run.open(path) for path in paths]
    _check(opened)
    runs = [FinishedRun(run, run.recipe) for run in opened]
    names = _names(runs, _groups(runs))
    compared = [
        compared_runs.read(run.run.folder, arm=name, seed=run.recipe.seed, name=run.shown)
        for run, name in zip(runs, names, strict=True)
    ]
    _check_rows(runs, compared)
    metric, greater = compared_runs.main_metric(opened[0].folder)
    return Comparison(metric, greater, tuple(_arms(runs, names)), tuple(compared))


def _arms(runs: Sequence[FinishedRun], names: Sequence[str]) -> list[ComparedArm]:
    """Describe each arm; the reference, scratch or else the first one, comes first."""
    members = dict(zip(reversed(names), reversed(runs), strict=True))  # the first run of each
    random = [name for name in names if not members[name].recipe.strategy.pretrained]
    reference = (random or names)[0]
    arms = [
        ComparedArm(
            name,
            members[name].recipe.strategy.name,
            members[name].checkpoint,
            None if name == reference else reference,
            bool(random) and members[name].recipe.strategy.pretrained,
        )
        for name in dict.fromkeys(names)
    ]
    return sorted(arms, key=lambda arm: arm.reference is not None)


def _check(runs: Sequence[Run]) -> None:
    """Refuse runs that have no score in common.

    Raises:
        RunError: names the run and what differs.
    """
    paths = [run.path for run in runs]
    repeated = next((path for path in paths if paths.count(path) > 1), None)
    if len(runs) < 2 or repeated:
        what = f"{repeated} stands there twice" if repeated else "only one run is named"
        raise RunError(f"{what}; expected two or more runs, such as runs/a/1 runs/b/1")
    first = runs[0]
    for run in runs[1:]:
        for key in ("task", "main_metric"):
            value, expected = (printable(each.metrics.get(key)) for each in (run, first))
            if value != expected:
                raise RunError(
                    f"{run.folder}: its {key} is {value}, and that of {first.folder} {expected}"
                )


def _check_rows(runs: Sequence[FinishedRun], compared: Sequence[ComparedRun]) -> None:
    """Refuse runs of one seed that validated on other rows, by the right answers of the rows.

    Raises:
        RunError: names two runs that differ, or the predictions that are missing.
    """
    answers: dict[int, tuple[FinishedRun, tuple[str, ...]]] = {}
    for run, each in zip(runs, compared, strict=True):
        labels = compared_runs.labels(run.run.folder)
        first, expected = answers.setdefault(each.seed, (run, labels))
        if labels == expected:
            continue
        for compared_run, known in ((run, labels), (first, expected)):
            if not known:
                path = compared_runs.rows_file(compared_run.run.folder)
                raise RunError(
                    f"{path}: missing or empty, so that nothing says which rows the run validated "
                    "on; copy it back, or train the run again"
                )
        raise RunError(
            f"{run.run.folder}: validated on other rows than {first.run.folder}; expected "
            "recipes with the same data"
        )


def _groups(runs: Sequence[FinishedRun]) -> list[str]:
    """Return the arm of each run: its identity, or the run itself where a seed stands twice."""
    counts = Counter((run.identity, run.recipe.seed) for run in runs)
    repeated = {identity for (identity, _), count in counts.items() if count > 1}
    return [str(run.run.path) if run.identity in repeated else run.identity for run in runs]


def _names(runs: Sequence[FinishedRun], groups: Sequence[str]) -> list[str]:
    """Name each run's arm by its strategy, its checkpoint or both, else by its first run."""
    strategies = [run.recipe.strategy.name for run in runs]
    checkpoints = [run.checkpoint for run in runs]
    pairs = zip(checkpoints, strategies, strict=True)
    both = [f"{checkpoint}, {strategy}" for checkpoint, strategy in pairs]
    num_arms = len({*groups})
    for names in (strategies, checkpoints, both):
        if len({*names}) == len({*zip(names, groups, strict=True)}) == num_arms:
            return names
    shown = [run.shown for run in runs]
    firsts = dict(zip(reversed(groups), reversed(shown), strict=True))
    return [firsts[group] for group in groups]
