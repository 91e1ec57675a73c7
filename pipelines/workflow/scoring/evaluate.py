"""Finished runs and new labeled data -> scores with intervals, by class and slice, compared."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core import startup
from pipelines.core.errors import DataError, suggest
from pipelines.data import labeled_inputs
from pipelines.data.dataset import Note
from pipelines.data.labeled_inputs import LabeledInputs
from pipelines.evaluation import details, examples, slice_scores
from pipelines.evaluation.scorer import Scorer
from pipelines.recipe import Recipe
from pipelines.recipe import overrides as changes
from pipelines.report.data_evaluation import DataEvaluation, RunOnData, ScoreDifference
from pipelines.workflow.scoring.opened import OpenedRun, check_kind, folders_of, source_of
from pipelines.workflow.scoring.predicted import PredictedRows, predict

if TYPE_CHECKING:
    from pipelines.evaluation.intervals import Interval
    from pipelines.evaluation.slice_scores import Slices
    from pipelines.report.run_folder import RunFolder

NO_DIFFERENCE = "no clear difference"


def evaluate(
    runs: Sequence[str | Path],
    data: "str | Path | Recipe",
    *,
    by: str | None = None,
    split: str | None = None,
    batch_size: int = 64,
    overrides: changes.Overrides = None,
    note: Note,
) -> DataEvaluation:
    """Score runs on the rows of a split that have labels.

    Args:
        data: a table or a folder, or a recipe whose `data:` says what to read.
        by: a column whose values divide the rows.
        split: its name; None: test, or what stands for it.
        overrides: keys of `data:`, such as `data.columns.label=stars`.
        note: is called once with each thing that was inferred.

    Raises:
        GraftError: a run, the data or a column cannot be used, labels that a run does not know, or
            runs that cannot be compared.
    """
    folders = folders_of(runs)
    startup.initialize({})
    source = source_of(data, overrides)
    read = partial(labeled_inputs.load, source, split, note=_once(note))
    opened, labeled, predicted = _predictions(folders, read, by, batch_size)
    left_out = {row: why for rows in predicted for row, why in rows.reasons.items()}
    alike = _shared(predicted, left_out)
    # draws of the same rows, or groups, by one seed: what a row does to all runs cancels out
    groups = alike[0].rows.groups
    scored = [
        _score(each, rows, _slices(rows, table, by), groups.numbers if groups else None)
        for each, rows, table in zip(opened, alike, labeled, strict=True)
    ]
    name, read_split = str(data.name if isinstance(data, Recipe) else data), labeled[0].split
    name += f" ({read_split})" if read_split else ""
    scorer, num_rows = opened[0].scorer, len(alike[0].rows)
    differences = _differences(scorer, scored)
    return DataEvaluation(name, num_rows, left_out, scorer.main, scored, differences)


def _shared(predicted: Sequence[PredictedRows], left_out: Mapping[int, str]) -> list[PredictedRows]:
    """Select the rows that all runs can take.

    Raises:
        DataError: there are none; says why the first one is left out.
    """
    shared = reduce(np.intersect1d, [rows.rows.numbers for rows in predicted])
    if not len(shared):
        first = next(iter(left_out.items()), ("", "no row is left"))
        raise DataError(f"no row can be scored: row {first[0]}: {first[1]}")
    places = (np.flatnonzero(np.isin(rows.rows.numbers, shared)) for rows in predicted)
    return [rows.select(where) for rows, where in zip(predicted, places, strict=True)]


def _predictions(
    folders: "Sequence[RunFolder]",
    read: Callable[..., LabeledInputs],
    by: str | None,
    batch_size: int,
) -> tuple[list[OpenedRun], list[LabeledInputs], list[PredictedRows]]:
    """Open the runs one after the other, read the rows for each, and predict them.

    Args:
        read: task and labels of a run -> the rows.
    """
    opened: list[OpenedRun] = []
    labeled, predicted = [], []
    for folder in folders:
        each = OpenedRun.of(folder)
        check_kind(each, opened[0] if opened else each)
        table = read(each.predictor.task, each.known)
        _check_column(table, by)
        predicted.append(predict(each.predictor, table, batch_size))
        labeled.append(table)
        opened.append(each.without_model())  # one model in memory at a time
    return opened, labeled, predicted


def _once(note: Note) -> Note:
    """Say each thing once: several runs read the same data."""
    texts: set[str] = set()

    def say_once(text: str) -> None:
        if text not in texts:
            texts.add(text)
            note(text)

    return say_once


def _check_column(labeled: LabeledInputs, by: str | None) -> None:
    if by is None:
        return
    if not labeled.is_by_row:
        raise DataError(f"--by {by}: rows of the table are words, and no examples")
    if by not in labeled.table.column_names:
        raise DataError(f"--by {by}: no such column; {suggest(by, labeled.table.column_names)}")


def _score(
    each: OpenedRun,
    predicted: PredictedRows,
    slices: "Mapping[str, Slices]",
    groups: np.ndarray | None,
) -> RunOnData:
    scorer, chosen = each.scorer, predicted.predictions
    sides = chosen.predictions, chosen.targets, chosen.outputs
    scores = scorer(*sides)
    return RunOnData(
        str(each.folder),
        scorer.labels,
        scores,
        details.measure(scorer, *sides, scores, groups=groups),
        slice_scores.measure(scorer, *sides, slices, groups=groups),
        chosen,
        predicted.rows,
    )


def _slices(
    predicted: PredictedRows, labeled: LabeledInputs, by: str | None
) -> "dict[str, Slices]":
    """Divide the rows by length, by confidence, and by a column."""
    slices: dict[str, Slices] = {}
    if predicted.lengths is not None:
        slices[f"length in {predicted.unit}"] = slice_scores.by_quartile(predicted.lengths)
    chosen = predicted.predictions
    confidences = examples.confidences(chosen.outputs, chosen.predictions, labeled.labels)
    if confidences is not None:
        slices["confidence"] = slice_scores.by_quartile(confidences)
    if by is not None:
        values = labeled.table[by][:]
        feature = labeled.table.features[by]
        if names := getattr(feature, "names", None):
            values = [names[v] if v is not None and v >= 0 else None for v in values]
        slices[by] = slice_scores.by_value([values[i] for i in predicted.rows.numbers])
    return slices


def _differences(scorer: Scorer, scored: Sequence[RunOnData]) -> list[ScoreDifference]:
    """Compare every further run with the first, score by score."""
    first, *others = scored
    differences = []
    for each in others:
        shared = [key for key in each.scores if key in first.scores]
        lower = scorer.lower_is_better(shared)
        for key in shared:
            interval = each.details.draws.difference(first.details.draws, key)
            difference = each.scores[key] - first.scores[key]
            verdict = _verdict(interval, is_error=key in lower)
            differences.append(
                ScoreDifference(each.run, first.run, key, difference, interval, verdict)
            )
    return differences


def _verdict(interval: "Interval | None", *, is_error: bool) -> str:
    if interval is None or interval.low <= 0 <= interval.high:
        return NO_DIFFERENCE
    return "better" if (interval.low > 0) != is_error else "worse"
