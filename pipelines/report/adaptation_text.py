"""Adaptation after training in words: what it changed on the source, and for the target."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.evidence import Evidence

KEY, WHEN = "adaptation", ("before", "after")
SENTENCE = (  # after another one
    " After training it was adapted to rows of the target without their labels (`{name}`): "
    "{metric} on validation, which is of the source, was {before:.4f} before and is {after:.4f} "
    "after."
)


def entry(evidence: Evidence) -> Mapping[str, Any] | None:
    """Return the entry of the history about the adaptation; None where there was none."""
    return next((each for each in evidence.history if KEY in each), None)


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line for the summary; none where nothing was adapted after training."""
    adapted = entry(evidence)
    if adapted is None:
        return
    before, after = (adapted[when] for when in WHEN)
    score, information = f"validation_{evidence.main_metric}", "target_information"
    yield (
        f"adaptation: {adapted[KEY]}: {evidence.main_metric} on validation (the source) "
        f"{before[score]:.4f} -> {after[score]:.4f}; predictions for the target tell "
        f"{before[information]:.3f} -> {after[information]:.3f} nats"
    )


def card_sentence(evidence: Evidence) -> str:
    """Write the sentence of the model card; empty where nothing was adapted after training."""
    adapted = entry(evidence)
    if adapted is None:
        return ""
    before, after = (adapted[when][f"validation_{evidence.main_metric}"] for when in WHEN)
    return SENTENCE.format(
        name=adapted[KEY], metric=evidence.main_metric, before=before, after=after
    )
