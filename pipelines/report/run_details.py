"""One run folder, described: what it is, its scores, and what can be done with it."""

import shlex
from collections.abc import Iterator
from typing import Any

from pipelines.core.console import duration, printable
from pipelines.core.errors import RunError
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_row import RunRow, document, number, read, value
from pipelines.report.tables import align

SCORED = ("validation", "test", "target")


def lines(folder: RunFolder) -> Iterator[str]:
    """Yield what a run is, its scores beside those of what is simpler, and what to do with it.

    Raises:
        RunError: the folder cannot be read.
    """
    row = read(folder.path)
    if row.state == "broken":
        raise RunError(f"{folder}: {row.problem}")
    yield f"{printable(folder)}: {row.state}, begun {row.date or 'at an unknown time'}"
    yield f"{row.task} on {row.checkpoint}, strategy {row.strategy}"
    if row.comparison:
        yield f"of the comparison {printable(row.comparison)} (graft report draws its page)"
    if row.state == "unfinished":
        words = ("graft", "run", str(folder.recipe), f"training.resume_from_checkpoint={folder}")
        yield f"to go on: {shlex.join(words)}"
        return
    yield from _scores(document(folder.metrics), row)
    yield f"recipe: {printable(folder.recipe)}"
    yield f"to repeat it: {shlex.join(('graft', 'run', printable(folder)))}"
    yield f"model: {printable(folder.model)}" if folder.model.is_dir() else "model: not saved"


def _scores(metrics: dict[str, Any], row: RunRow) -> Iterator[str]:
    trainable = number(metrics, "training", "trainable_parameters")
    parameters = number(metrics, "training", "parameters")
    if trainable is not None and parameters:
        share = f"trained {trainable:,.0f} of {parameters:,.0f} parameters"
        yield share + ("" if row.seconds is None else f" in {duration(row.seconds)}")
    if reason := value(metrics, "reason"):
        yield f"chosen: {row.strategy}; reason: {printable(reason, 400)}"
    yield ""
    yield from align([*_table(metrics)])
    if row.interval:
        low, high = row.interval
        yield f"{row.metric} on test: {low:.4f} to {high:.4f} (95 %)"
    yield ""


def _table(metrics: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a header and a row for each metric; columns are splits, then what is simpler."""
    splits = [split for split in SCORED if isinstance(value(metrics, split), dict)]
    last = splits[-1] if splits else ""
    columns = {split: value(metrics, split) for split in splits}
    columns[f"baseline ({last})"] = value(metrics, "baseline", last)
    if simple := value(metrics, "simple_model", last):
        columns[f"{printable(value(metrics, 'simple_model', 'name'))} ({last})"] = simple
    yield ["metric", *columns]
    for metric in columns.get("validation") or ():
        scores = [number(column, metric) for column in columns.values()]
        if any(score is not None for score in scores):
            yield [printable(metric), *("-" if s is None else f"{s:.4f}" for s in scores)]
