"""evidence.json: intervals, classes, confusions and the largest losses of each split."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.core.labels import Labels
from pipelines.evaluation.details import SplitDetails
from pipelines.report import strict_json


def write(path: Path, details: Mapping[str, SplitDetails], labels: Labels) -> None:
    """Write what stands behind the scores of each split."""
    content = {split: as_json(each, labels) for split, each in details.items()}
    # as small as it gets: a confusion matrix of many classes has a line for each number otherwise
    strict_json.write(path, content, indent=None)


def as_json(details: SplitDetails, labels: Labels) -> dict[str, Any]:
    """Write what applies to a split; keys of what does not are absent."""
    content: dict[str, Any] = {
        "intervals": {key: asdict(interval) for key, interval in details.intervals.items()}
    }
    if details.without_interval:
        content["without_interval"] = dict(details.without_interval)
    if details.per_class:
        content["per_class"] = [asdict(result) for result in details.per_class]
    if details.confusion is not None:
        content["confusion"] = {"labels": labels.names, "counts": details.confusion}
    if details.top_losses:
        content["top_losses"] = list(details.top_losses)
    return content
