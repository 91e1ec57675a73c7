"""Precision, recall and F1 of each class, for the model card."""

from pipelines.report.evidence import Evidence
from pipelines.report.markdown_text import escape
from pipelines.report.tables import markdown

MAX_LISTED = 50
HEADER = ["class", "precision", "recall", "F1", "examples"]


def card_section(evidence: Evidence) -> str:
    """Write the section of the model card; empty where there are no classes."""
    split = [*evidence.splits][-1]
    details = evidence.details.get(split)
    classes = list(details.per_class) if details else []
    if not classes:
        return ""
    which = "of each class"
    if len(classes) > MAX_LISTED:
        which = f"of the {MAX_LISTED} of {len(classes):,} classes with the lowest F1"
        # a class without examples has none
        classes = sorted((c for c in classes if c.count), key=lambda c: c.f1)[:MAX_LISTED]
    rows = [
        [escape(c.label), f"{c.precision:.4f}", f"{c.recall:.4f}", f"{c.f1:.4f}", f"{c.count:,}"]
        for c in classes
    ]
    return (
        f"## Each class\n\nPrecision, recall and F1 {which}, on {evidence.title(split)}.\n\n"
        f"{markdown([HEADER, *rows])}\n\n"
    )
