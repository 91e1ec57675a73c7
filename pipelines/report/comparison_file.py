"""comparison.json -> the comparison: its page is drawn again from the files of its folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.core.errors import RunError
from pipelines.evaluation.compared import ComparedArm, ComparedRun
from pipelines.evaluation.comparison import Comparison
from pipelines.report import compared_runs
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_paths import COMPARISON
from pipelines.report.run_row import document, number

REMEDY = "run graft compare again"
NUMBERS = ("validation", "test", "trainable", "parameters", "seconds", "peak_memory", "energy")


def read(folder: Path) -> Comparison:
    """Read a comparison from its folder.

    Raises:
        RunError: the file is missing or damaged, or nothing was compared yet.
    """
    path = folder / COMPARISON
    values = document(path)
    if not values.get("runs"):
        raise RunError(f"{path}: no run of the comparison is done yet; {REMEDY}")
    try:
        metric = str(values["metric"])
        is_of_rows = metric == compared_runs.METRIC_OF_ROWS
        return Comparison(
            metric=metric,
            greater_is_better=bool(values["greater_is_better"]),
            arms=tuple(map(_arm, values["arms"])),
            runs=tuple(_run(folder, each, is_of_rows=is_of_rows) for each in values["runs"]),
            budget=str(values["budget"]),
            folder=folder.as_posix(),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(
            f"{path}: damaged: not what graft compare writes ({reason}); {REMEDY}"
        ) from None


def _arm(values: Mapping[str, Any]) -> ComparedArm:
    reference = values["reference"]
    return ComparedArm(
        name=str(values["name"]),
        strategy=str(values["strategy"]),
        checkpoint=str(values["checkpoint"]),
        reference=None if reference is None else str(reference),
        is_against_scratch=bool(values["is_against_scratch"]),
        overrides=tuple(map(str, values["overrides"])),
    )


def _run(folder: Path, values: Mapping[str, Any], *, is_of_rows: bool) -> ComparedRun:
    """Read a run; its rows, by which pairs of few seeds are compared, stand in its own folder."""
    name = str(values["folder"])
    return ComparedRun(
        arm=str(values["arm"]),
        seed=int(values["seed"]),
        fraction=float(values["fraction"]),
        folder=name,
        problem=str(values["problem"]),
        **{key: number(values, key) for key in NUMBERS},
        floors=_finite(values["floors"]),
        examples={split: int(count) for split, count in _finite(values["examples"]).items()},
        curve=tuple((float(step), float(score)) for step, score in values["curve"]),
        correct=_correct(folder, name) if is_of_rows else (),
    )


def _correct(folder: Path, name: str) -> tuple[bool, ...]:
    """Read the rows of a run; none from outside of the comparison, whatever `name` says."""
    run = RunFolder(folder / name)
    is_inside = run.path.resolve().is_relative_to(folder.resolve())
    return compared_runs.correct(run) if is_inside else ()


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    """Keep the entries that are numbers."""
    numbers = {str(name): number(values, name) for name in values}
    return {name: value for name, value in numbers.items() if value is not None}
