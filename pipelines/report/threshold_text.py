"""Thresholds of several labels in words and numbers, for the summary, the card and metrics.json."""

from collections.abc import Iterator
from typing import Any

from pipelines.core.labels import HALF, THRESHOLDS
from pipelines.report.evidence import Evidence, is_number
from pipelines.report.markdown_text import escape
from pipelines.report.tables import markdown

MAX_LISTED = 50  # more labels than this are left to the model's config

TEXT = """\
## Thresholds

The scores above count a label as given if its probability exceeds its own threshold, which was
chosen on validation for the best F1 (scores of validation are therefore too optimistic).
They are in `config.json` as `{key}`; the lines under "How to use" apply them.

{thresholds}

With 0.5 for every label, as libraries have it:

{scores}
"""


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line for the summary; none where every threshold is 0.5."""
    if evidence.at_half:
        values, split = evidence.labels.thresholds, [*evidence.at_half][-1]
        score = evidence.at_half[split][evidence.main_metric]
        yield (
            f"thresholds: {min(values):.4g} to {max(values):.4g}, chosen on validation; with "
            f"{HALF} for every label: {evidence.main_metric} {score:.4f} on {split}"
        )


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where every threshold is 0.5."""
    if not evidence.at_half:
        return ""
    labels = evidence.labels
    rows = [
        [escape(name), f"{t:g}"] for name, t in zip(labels.names, labels.thresholds, strict=True)
    ]
    is_short = len(rows) <= MAX_LISTED
    return (
        TEXT.format(
            key=THRESHOLDS,
            thresholds=markdown([["label", "threshold"], *rows[:MAX_LISTED]])
            + "\n\n…" * (not is_short),
            scores=markdown(list(_scores(evidence))),
        )
        + "\n"
    )


def as_json(evidence: Evidence) -> dict[str, Any] | None:
    """Return thresholds and scores without them as plain values; None where all are 0.5."""
    if not evidence.at_half:
        return None
    labels = evidence.labels
    return {
        "chosen_on": "validation",
        "labels": dict(zip(labels.names, labels.thresholds, strict=True)),
        "scores_at_0.5": evidence.at_half,
    }


def _scores(evidence: Evidence) -> Iterator[list[str]]:
    yield ["metric", *evidence.at_half]
    for metric in evidence.validation:
        scores = [scores[metric] for scores in evidence.at_half.values()]
        if all(map(is_number, scores)):
            yield [metric, *(f"{score:.4f}" for score in scores)]
