"""Forgetting in words, for the summary and the model card."""

from collections.abc import Iterator

from pipelines.evaluation.forgetting import Forgetting
from pipelines.report.evidence import Evidence
from pipelines.report.tables import markdown

TEXT = """\
## What is left of the checkpoint

A linear probe on the encoder's mean states tells the {classes} classes of {rows:,} rows of `{name}`
apart with an accuracy of {before:.4f} before training and {after:.4f} after it: {change} (interval
of 95 % over rows; the most frequent class has {most_frequent:.4f}).
"""
DISTANCES = """
How far pretrained weights moved, relative to their length:

{table}
"""


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield lines for the summary; none where it was not measured."""
    measured = evidence.forgetting
    if measured is None:
        return
    yield (
        f"forgetting: a probe on {measured.num_rows:,} rows of {measured.name} "
        f"({measured.num_classes} classes) has {measured.before:.4f} before and "
        f"{measured.after:.4f} after: {change(measured)}"
    )
    if measured.distances:
        yield "  weights moved: " + ", ".join(map(" ".join, _distances(measured)))


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where it was not measured."""
    measured = evidence.forgetting
    if measured is None:
        return ""
    text = TEXT.format(
        classes=measured.num_classes,
        rows=measured.num_rows,
        name=measured.name,
        before=measured.before,
        after=measured.after,
        change=change(measured),
        most_frequent=measured.most_frequent,
    )
    if measured.distances:
        table = markdown([["depth", "distance"], *map(list, _distances(measured))])
        text += DISTANCES.format(table=table)
    return f"{text}\n"


def change(measured: Forgetting) -> str:
    """Write the difference with its interval."""
    difference = measured.after - measured.before
    return f"{difference:+.4f} ({measured.low:+.4f} to {measured.high:+.4f})"


def _distances(measured: Forgetting) -> Iterator[tuple[str, str]]:
    for depth, distance in measured.distances.items():
        yield depth, f"{distance:.4f}"
