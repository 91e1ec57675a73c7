"""The table of scores, and tables as aligned text or Markdown."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pipelines.core.console import line_width
from pipelines.report.evidence import Evidence, is_number

if TYPE_CHECKING:
    from pipelines.evaluation.intervals import Interval


def score_rows(evidence: Evidence) -> Iterator[list[str]]:
    """Yield a header, then a row for each metric: validation, test, the target, baseline.

    Test and target have columns where they were scored. The last columns are those of a simple
    model and of zero-shot classification, where there are any. Beside the main score stands its
    interval.
    """
    last_split = list(evidence.splits)[-1]
    shown = {**evidence.splits, **({"target": evidence.target} if evidence.target else {})}
    columns = [*shown.values(), evidence.baseline.get(last_split, {})]
    header = ["metric", *map(evidence.title, shown), f"baseline ({last_split})"]
    for other in (evidence.simple_model, evidence.zero_shot):
        if other and last_split in other.scores:
            columns.append(other.scores[last_split])
            header.append(f"{other.name} ({last_split})")
    yield header
    intervals = [evidence.interval(split) for split in shown]
    for metric in evidence.validation:
        scores = [column.get(metric) for column in columns]
        # a confusion matrix has no cell; metrics.json holds it
        if metric == evidence.main_metric or any(map(is_number, scores)):
            bounds = intervals if metric == evidence.main_metric else []
            cells = zip_longest(scores, bounds)
            yield [metric, *(_cell(*pair) for pair in cells)]


def interval_notes(evidence: Evidence) -> Iterator[str]:
    """Say what stands in parentheses, if anything does, and why it does not where it might."""
    intervals = [evidence.interval(split) for split in evidence.details]
    methods = dict.fromkeys(each.method for each in intervals if each)
    if methods:
        yield (
            f"in parentheses: the interval of 95 % of {evidence.main_metric} over rows "
            f"({', '.join(methods)})"
        )
    for split, details in evidence.details.items():
        if reason := details.without_interval.get(evidence.main_metric):
            yield f"no interval of {evidence.main_metric} on {split}: {reason}"


def align(rows: list[list[str]], num_names: int = 1) -> list[str]:
    """Format rows as lines of equal width: the first column to the left, the rest to the right.

    Where lines are wider than the terminal, its columns follow one another in several blocks.

    Args:
        num_names: the first columns, which name a row and stand in every block.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for columns in _blocks(widths, num_names, line_width()):
        lines += [""] if lines else []
        for row in rows:
            first, *others = (
                row[i].rjust(widths[i]) if i else row[0].ljust(widths[0]) for i in columns
            )
            lines.append("  ".join([first, *others]))
    return lines


def _blocks(widths: list[int], num_names: int, limit: int | None) -> Iterator[list[int]]:
    """Yield the numbers of columns that fit in a line together, at least one beside the names."""
    names = [*range(num_names)]
    block = [*names]
    for i in range(num_names, len(widths)):
        width = sum(widths[j] + 2 for j in block) + widths[i]
        if limit is not None and width > limit and len(block) > num_names:
            yield block
            block = [*names]
        block.append(i)
    yield block


def markdown(rows: list[list[str]]) -> str:
    """Format a header and rows as a Markdown table, with numbers to the right."""
    header, *body = rows
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *body))


def _cell(score: Any, interval: "Interval | None" = None) -> str:
    if not is_number(score):
        return "-"
    return f"{score:.4f}" + (f" ({interval})" if interval else "")
