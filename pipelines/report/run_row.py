"""A run folder -> a row of a list: what was trained, how good it is, whether it is done.

Folders may be damaged, foreign or hostile: what cannot be read is a row with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipelines.core import registry
from pipelines.core.console import printable
from pipelines.core.errors import GraftError, RunError
from pipelines.evaluation import metric_source
from pipelines.recipe import yaml_reader
from pipelines.report import strict_json
from pipelines.report.evidence import is_number
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_paths import COMPARISON

MAX_BYTES = 64 * 2**20  # of a document of a run folder; real ones have a few KiB
SPLITS = ("validation", "test")
MAX_CELL_DEPTH = 3  # of a run below the folder of its comparison: cells/<arm>/<seed>
REMEDY = "remove the folder, or run the recipe again"

State = Literal["done", "unfinished", "broken"]


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run as a list shows it; what is not known is empty or None.

    Attributes:
        path: the folder, below the root that was listed.
        problem: why the folder cannot be read; empty where it can.
        checkpoint: the Hub id, or the last component of a folder.
        metric: the key of the main score.
        interval: bounds of the score on test, by evidence.json.
        seconds: wall-clock time of training.
        date: when it began, as ISO 8601 in UTC.
        comparison: the folder of the comparison that it belongs to; None of a run by itself.
    """

    path: Path
    state: State
    problem: str = ""
    task: str = ""
    checkpoint: str = ""
    strategy: str = ""
    metric: str = ""
    greater_is_better: bool = True
    validation: float | None = None
    test: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    date: str = ""
    comparison: Path | None = None

    @property
    def recipe(self) -> Path:
        """The folder of all runs of the recipe."""
        return self.path.parent

    def json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        comparison = self.comparison and self.comparison.as_posix()
        return {**vars(self), "path": self.path.as_posix(), "comparison": comparison}


def read(path: Path) -> RunRow:
    """Read a run folder; one that is damaged is a row with the reason."""
    folder = RunFolder(path)
    try:
        if not folder.lock.is_file():
            return RunRow(path=path, state="broken", problem="no run folder: there is no lock.json")
        lock = document(folder.lock)
        row = _finished(folder, lock) if folder.done else _unfinished(folder, lock)
        return replace(row, comparison=_comparison(path))
    # a folder of a network drive, or of another user, may refuse to be looked at
    except (GraftError, OSError) as error:
        return RunRow(path=path, state="broken", problem=printable(error))


def document(path: Path) -> dict[str, Any]:
    """Read a JSON document of a run folder.

    Raises:
        RunError: it is missing, damaged, or larger than any of ours.
    """
    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_BYTES:
        raise RunError(f"{path}: {size / 2**20:,.0f} MiB, and no run writes such a file; {REMEDY}")
    return strict_json.read(path, REMEDY)


def value(node: Any, *keys: str) -> Any:
    """Return what stands at `keys` of nested mappings; None where there is nothing."""
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def number(node: Any, *keys: str) -> float | None:
    """Return the finite number at `keys`; None where there is none."""
    at_keys = value(node, *keys)
    return float(at_keys) if is_number(at_keys) else None


def greater_is_better(metrics: Mapping[str, Any]) -> bool:
    """Return whether more of the main score is better, by metrics.json or by the metric's name."""
    declared = metrics.get("greater_is_better")
    if isinstance(declared, bool):
        return declared
    name = str(metrics.get("main_metric"))  # a file of an older version
    return not any(name == error or name.startswith(f"{error}_") for error in _errors())


@cache
def _errors() -> frozenset[str]:
    """List the keys of our metrics of which less is better."""
    folder = registry.folder("metrics")
    files = (folder / f"{name}.py" for name in registry.names("metrics"))
    declared = map(metric_source.read, files)
    return frozenset(each.key for each in declared if each.key and each.greater_is_better is False)


def _finished(folder: RunFolder, lock: dict[str, Any]) -> RunRow:
    metrics = document(folder.metrics)
    main = metrics.get("main_metric")
    if not isinstance(main, str):
        raise RunError(f"{folder.metrics}: damaged: there is no main_metric; {REMEDY}")
    validation, test = (number(metrics, split, main) for split in SPLITS)
    return RunRow(
        path=folder.path,
        state="done",
        task=_word(metrics, "task"),
        checkpoint=_word(lock, "model", "checkpoint"),
        strategy=_word(metrics, "strategy"),
        metric=printable(main),
        greater_is_better=greater_is_better(metrics),
        validation=validation,
        test=test,
        interval=_interval(folder, main),
        seconds=number(metrics, "training", "seconds"),
        date=_word(lock, "date"),
    )


def _unfinished(folder: RunFolder, lock: dict[str, Any]) -> RunRow:
    refusal = f"{folder.recipe}: cannot read the recipe"
    recipe = yaml_reader.read(folder.recipe, refusal).values
    return RunRow(
        path=folder.path,
        state="unfinished",
        task=_word(recipe, "task", "name"),
        checkpoint=_word(lock, "model", "checkpoint"),
        strategy=_word(recipe, "strategy", "name"),
        date=_word(lock, "date"),
    )


def _comparison(path: Path) -> Path | None:
    """Return the folder of the comparison that a run was made for, which lies three above it."""
    whole = path if len(path.parents) > MAX_CELL_DEPTH else path.absolute()
    above = whole.parents[MAX_CELL_DEPTH - 1 :][:1]
    return next((each for each in above if (each / COMPARISON).is_file()), None)


def _interval(folder: RunFolder, metric: str) -> tuple[float, float] | None:
    """Read the interval of the score on test; None in a folder without evidence.json."""
    path = folder.path / "evidence.json"
    if not path.is_file():
        return None
    bounds = value(document(path), "test", "intervals", metric)
    low, high = number(bounds, "low"), number(bounds, "high")
    return None if low is None or high is None else (low, high)


def _word(node: Any, *keys: str) -> str:
    """Return the text at `keys` as it can be printed; empty where there is none."""
    at_keys = value(node, *keys)
    return "" if at_keys is None else printable(at_keys)
