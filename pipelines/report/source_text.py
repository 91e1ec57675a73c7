"""Scores on each of several sources in words, for the summary, the model card and metrics.json."""

from collections.abc import Iterator
from typing import Any

from pipelines.report.evidence import Evidence
from pipelines.report.markdown_text import escape
from pipelines.report.tables import markdown

TEXT = """\
## Sources

{metric} on the rows of each source ({split}), with the number of rows:

{table}

"""


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line of the last split that was scored; none where there is one source."""
    for split, scores in [*evidence.by_source.items()][-1:]:
        shown = (f"{name} {each.score:.4f} ({each.num_rows:,})" for name, each in scores.items())
        yield f"by source: {evidence.main_metric} on {split} (rows): {', '.join(shown)}"


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where there is one source."""
    text = ""
    for split, scores in [*evidence.by_source.items()][-1:]:
        rows = [["source", evidence.main_metric, "rows"]]
        rows += [
            [escape(name), f"{each.score:.4f}", f"{each.num_rows:,}"]
            for name, each in scores.items()
        ]
        text = TEXT.format(metric=evidence.main_metric, split=split, table=markdown(rows))
    return text


def as_json(evidence: Evidence) -> dict[str, Any] | None:
    """Return rows and score of each source by split; None where there is one source."""
    splits: dict[str, Any] = {}
    for split, scores in evidence.by_source.items():
        splits[split] = {
            name: {"rows": each.num_rows, evidence.main_metric: each.score}
            for name, each in scores.items()
        }
    return splits or None
