"""A finished run folder -> its numbers, as they are compared with those of others."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from pipelines.core.errors import RunError
from pipelines.evaluation.compared import ComparedRun
from pipelines.report.evidence import is_number
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_row import (
    MAX_BYTES,
    REMEDY,
    document,
    greater_is_better,
    number,
    value,
)

BASELINE = "baseline"
METRIC_OF_ROWS = "accuracy"  # the mean of what each row is


def read(
    folder: RunFolder, *, arm: str, seed: int, fraction: float = 1.0, name: str = ""
) -> ComparedRun:
    """Read the numbers of a run.

    Args:
        name: of the folder, as it is to be shown.

    Raises:
        RunError: the run is not finished, or a file of it is damaged.
    """
    if not folder.done:
        raise RunError(f"{folder}: not finished: there is no metrics.json")
    metrics = document(folder.metrics)
    main = str(metrics.get("main_metric"))
    validation = number(metrics, "validation", main)
    examples = value(metrics, "examples")
    counts = examples.items() if isinstance(examples, dict) else ()
    return ComparedRun(
        arm=arm,
        seed=seed,
        fraction=fraction,
        folder=name or str(folder),
        problem="" if validation is not None else f"its {main} on validation is no number",
        validation=validation,
        test=number(metrics, "test", main),
        floors=dict(_floors(metrics, main)),
        trainable=number(metrics, "training", "trainable_parameters"),
        parameters=number(metrics, "training", "parameters"),
        seconds=number(metrics, "training", "seconds"),
        peak_memory=number(metrics, "training", "peak_memory_bytes"),
        energy=number(metrics, "training", "energy_joules"),
        examples={split: int(count) for split, count in counts if is_number(count)},
        curve=tuple(_curve(folder.history, f"eval_{main}")),
        correct=correct(folder) if main == METRIC_OF_ROWS else (),
    )


def main_metric(folder: RunFolder) -> tuple[str, bool]:
    """Return the key of a finished run's main score, and whether more of it is better."""
    metrics = document(folder.metrics)
    return str(metrics.get("main_metric")), greater_is_better(metrics)


def rows_file(folder: RunFolder) -> Path:
    """Return the file of what a run predicted for validation, whether it is there or not."""
    return folder.predictions / "validation.csv"


def labels(folder: RunFolder) -> tuple[str, ...]:
    """Return the right answer of each row of validation; nothing where there is no such file."""
    return tuple(row.get("label") or "" for row in _rows(folder))


def correct(folder: RunFolder) -> tuple[bool, ...]:
    """Return whether each row of validation was predicted right; nothing without predictions."""
    return tuple(row.get("label") == row.get("prediction") for row in _rows(folder))


def _floors(metrics: dict[str, object], main: str) -> Iterator[tuple[str, float]]:
    """Yield name and main score on validation of what is simpler than the model."""
    named = {BASELINE: BASELINE, "simple_model": value(metrics, "simple_model", "name")}
    for key, name in named.items():
        score = number(metrics, key, "validation", main)
        if score is not None:
            yield str(name), score


def _curve(history: Path, key: str) -> Iterator[tuple[float, float]]:
    """Yield (step, score) of each evaluation; a line that is none of ours is passed over."""
    if not history.is_file() or history.stat().st_size > MAX_BYTES:
        return
    with history.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            step, score = number(entry, "step"), number(entry, key)
            if step is not None and score is not None:
                yield step, score


def _rows(folder: RunFolder) -> Iterator[dict[str, str]]:
    """Yield the rows of validation with their predictions."""
    path = rows_file(folder)
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            try:
                yield from csv.DictReader(file)
            except csv.Error as error:  # a cell of megabytes, or a line that never ends
                raise RunError(f"{path}: damaged: {error}; {REMEDY}") from None
