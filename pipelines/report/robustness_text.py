"""Robustness in words, for the summary and the model card."""

from collections.abc import Iterator

from pipelines.evaluation.robustness import Robustness
from pipelines.report.evidence import Evidence
from pipelines.report.tables import markdown

TEXT = """\
## Robustness

{metric} of {rows} under corruptions of severity 1 to 5; without any it is {clean:.4f} on the same
rows, and {mean:.4f} on average over all of them:

{table}

The corruptions are synthetic, and their degrees are comparable within a kind only. They say little
about data from another source.
"""


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield lines for the summary; none where it was not measured."""
    measured = evidence.robustness
    if measured is None:
        return
    scores = " ".join(f"{score:.4f}" for score in measured.by_severity)
    yield (
        f"robustness: {measured.metric} {measured.clean:.4f} on {_rows(measured)}; under "
        f"corruptions of severity 1 to 5: {scores}"
    )
    means = {kind: sum(scores) / len(scores) for kind, scores in measured.kinds.items()}
    worst_first = sorted(
        means, key=lambda kind: means[kind], reverse=measured.metric in evidence.lower_is_better
    )
    if measured.slices:
        yield "  accuracy by length: " + ", ".join(map(" ".join, _slices(measured)))
    yield "  by kind: " + ", ".join(f"{kind} {means[kind]:.4f}" for kind in worst_first)


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where it was not measured."""
    measured = evidence.robustness
    if measured is None:
        return ""
    return (
        TEXT.format(
            metric=measured.metric,
            rows=_rows(measured),
            clean=measured.clean,
            mean=measured.mean,
            table=markdown([*_table(measured)]),
        )
        + "\n"
        + _slice_section(measured)
    )


def _slices(measured: Robustness) -> Iterator[tuple[str, str]]:
    """Yield the tokens of each slice, and its accuracy with the interval."""
    for each in measured.slices:
        accuracy = f"{each.accuracy:.4f} ({each.low:.4f} to {each.high:.4f})"
        yield f"{each.shortest} to {each.longest} tokens", accuracy


def _slice_section(measured: Robustness) -> str:
    """Write the table of slices; empty where there are none."""
    if not measured.slices:
        return ""
    table = markdown([["length", "accuracy"], *map(list, _slices(measured))])
    return f"By the length of the texts of {measured.split}, with intervals of 95 %:\n\n{table}\n\n"


def _rows(measured: Robustness) -> str:
    if measured.num_rows == measured.split_rows:
        return f"the {measured.num_rows:,} rows of {measured.split}"
    return (
        f"{measured.num_rows:,} of {measured.split_rows:,} rows of {measured.split} "
        f"(seed {measured.seed})"
    )


def _table(measured: Robustness) -> Iterator[list[str]]:
    yield ["corruption", *map(str, range(1, len(measured.by_severity) + 1)), "mean"]
    for kind, scores in [*measured.kinds.items(), ("mean", measured.by_severity)]:
        mean = sum(scores) / len(scores)
        yield [kind.replace("_", " "), *(f"{score:.4f}" for score in [*scores, mean])]
