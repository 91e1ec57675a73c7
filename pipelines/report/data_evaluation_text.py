"""Finished runs on new labeled data, as tables for a terminal."""

from collections.abc import Iterator

from pipelines.evaluation.details import SplitDetails
from pipelines.report.data_evaluation import DataEvaluation, RunOnData
from pipelines.report.tables import align

MAX_LISTED_CLASSES = 50  # more than this are in the JSON only
MAX_CHARACTERS = 40  # of a name, in a table


def lines(evaluation: DataEvaluation) -> Iterator[str]:
    """Yield tables for a terminal."""
    yield f"{evaluation.data}: {evaluation.num_rows:,} rows"
    for each in evaluation.runs:
        yield ""
        yield each.run
        yield from align([*_score_rows(each)])
        if each.details.per_class and len(each.details.per_class) <= MAX_LISTED_CLASSES:
            yield ""
            yield from align([*_class_rows(each.details)])
        if each.slices:
            yield ""
            yield from align([*_slice_rows(each, evaluation.main_metric)], num_names=2)
    if evaluation.differences:
        yield ""
        yield from align([*_difference_rows(evaluation)], num_names=2)


def _score_rows(each: RunOnData) -> Iterator[list[str]]:
    yield ["metric", "score", "95 % over rows", "method"]
    for key, score in each.scores.items():
        interval = each.details.intervals.get(key)
        bounds = [str(interval), interval.method] if interval else ["-", _reason(each, key)]
        yield [key, f"{score:.4f}", *bounds]


def _reason(each: RunOnData, key: str) -> str:
    return each.details.without_interval.get(key, "")


def _class_rows(details: SplitDetails) -> Iterator[list[str]]:
    yield ["label", "precision", "recall", "f1", "count"]
    for each in details.per_class:
        numbers = (each.precision, each.recall, each.f1)
        yield [_one_line(each.label), *(f"{n:.4f}" for n in numbers), f"{each.count:,}"]


def _slice_rows(each: RunOnData, main_metric: str) -> Iterator[list[str]]:
    yield ["rows by", "value", "count", main_metric, "95 % over rows"]
    for part in each.slices:
        score = part.scores.get(main_metric)
        bounds = str(part.interval) if part.interval else "-"
        shown = "-" if score is None else f"{score:.4f}"
        yield [_one_line(part.by), _one_line(part.value), f"{part.num_rows:,}", shown, bounds]


def _difference_rows(evaluation: DataEvaluation) -> Iterator[list[str]]:
    yield ["difference", "metric", "", "95 % over rows", ""]
    for each in evaluation.differences:
        bounds = f"{each.interval.low:+.4f} to {each.interval.high:+.4f}" if each.interval else "-"
        pair = f"{each.run} minus {each.minus}"
        yield [pair, each.metric, f"{each.difference:+.4f}", bounds, each.verdict]


def _one_line(text: str) -> str:
    """Show a name of the data on one line, without control characters."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}…"
