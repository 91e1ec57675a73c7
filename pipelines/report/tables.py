"""The table of scores, and tables as aligned text or Markdown."""

from collections.abc import Iterator
from typing import Any

from pipelines.report.evidence import Evidence, is_number


def score_rows(evidence: Evidence) -> Iterator[list[str]]:
    """Yield a header, then a row for each metric: validation, test, the target, baseline.

    Test and target have columns where they were scored. The last columns are those of a simple
    model and of zero-shot classification, where there are any.
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
    for metric in evidence.validation:
        scores = [column.get(metric) for column in columns]
        # a confusion matrix has no cell; metrics.json holds it
        if any(map(is_number, scores)):
            yield [metric, *map(_cell, scores)]


def align(rows: list[list[str]]) -> list[str]:
    """Format rows as lines of equal width: the first column to the left, the rest to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]


def markdown(rows: list[list[str]]) -> str:
    """Format a header and rows as a Markdown table, with numbers to the right."""
    header, *body = rows
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *body))


def _cell(score: Any) -> str:
    return f"{score:.4f}" if is_number(score) else "-"
