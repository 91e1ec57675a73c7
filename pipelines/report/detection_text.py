"""Detection of rows of another source in words, for the summary and the model card."""

from collections.abc import Iterator

from pipelines.evaluation.detection.result import Detection
from pipelines.report.evidence import Evidence
from pipelines.report.tables import markdown

TEXT = """\
## Rows of another kind

Whether {others:,} rows of `{name}` are told from {rows:,} rows of {split}: the area under the ROC
curve (0.5 is chance) with its interval of 95 %, over rows drawn anew. Distances are to {train:,}
rows of train.

{table}

It holds for these other rows: some that are more like the training data are harder to tell.
"""


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield lines for the summary; none where it was not measured."""
    measured = evidence.detection
    if measured is None:
        return
    yield (
        f"out of distribution: AUROC of {measured.num_others:,} rows of {measured.name} against "
        f"{measured.num_rows:,} of {measured.split}:"
    )
    yield "  " + ", ".join(f"{name} {area}" for name, area in _areas(measured))


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where it was not measured."""
    measured = evidence.detection
    if measured is None:
        return ""
    text = TEXT.format(
        others=measured.num_others,
        name=measured.name,
        rows=measured.num_rows,
        split=measured.split,
        train=measured.num_train,
        table=markdown([["detector", "AUROC"], *map(list, _areas(measured))]),
    )
    return f"{text}\n"


def _areas(measured: Detection) -> Iterator[tuple[str, str]]:
    """Yield each detector with its area and interval."""
    for name, area in measured.areas.items():
        shown = f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        yield name.replace("_", " "), shown
