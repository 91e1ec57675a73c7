"""Statistics of one split: its size, its classes, and how large its examples are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, SINGLE, Labels
from pipelines.data.duplicates import Repeats

if TYPE_CHECKING:
    from pipelines.tasks import Measure


@dataclass(frozen=True)
class Spread:
    """How a number varies over the examples of a split.

    Attributes:
        limit: the most that the model takes; None if it takes any.
        truncated: how many examples exceed it.
    """

    minimum: float
    median: float
    p95: float
    maximum: float
    limit: float | None
    truncated: int

    @classmethod
    def of(cls, measure: "Measure") -> "Spread":
        """Summarize the numbers of a measure, one for each example."""
        values, limit = measure.values, measure.limit
        # quantiles instead of mean and deviation: lengths are heavily skewed
        low, median, p95, high = np.quantile(values, (0, 0.5, 0.95, 1)).tolist()
        truncated = 0 if limit is None else int((values > limit).sum())
        return cls(low, median, p95, high, limit, truncated)

    def __str__(self) -> str:
        low, high = _number(self.minimum), _number(self.maximum)
        text = f"{low} to {high}, half below {_number(self.median)}, 95 % below {_number(self.p95)}"
        if low == high:
            text = f"all {low}"
        return text if self.limit is None else f"{text}; the model takes {self.limit:,.6g}"


@dataclass(frozen=True)
class SplitStatistics:
    """What a split consists of.

    Attributes:
        num_examples: how many examples it has.
        classes: class name -> how many examples have it; empty if there are no classes.
        measures: unit ("tokens") -> how it varies, or word -> how many examples have it.
        repeats: examples that repeat an earlier one of the same split.
        remarks: what the task has to say about them.
    """

    num_examples: int
    classes: Mapping[str, int]
    measures: Mapping[str, Spread | Mapping[str, int]]
    repeats: Repeats
    remarks: tuple[str, ...] = ()

    @property
    def imbalance(self) -> float:
        """Size of the largest class over that of the smallest one with any example."""
        # a class without examples is noted when the data are loaded, and cannot be divided by
        sizes = [count for count in self.classes.values() if count]
        return max(sizes) / min(sizes) if sizes else 1.0


def class_counts(targets: Sequence[Any], labels: Labels) -> dict[str, int]:
    """Count the examples of each class.

    Args:
        targets: (examples,) class ids, or (examples, classes) 0/1 rows.

    Returns:
        class name -> count; empty if there are no classes.
    """
    if labels.problem_type == SINGLE:
        # a class without examples is listed with 0
        counts = np.bincount(np.asarray(targets, int), minlength=labels.num_labels)
    elif labels.problem_type == MULTI:
        counts = np.asarray(targets, int).sum(axis=0)
    else:
        return {}
    return dict(zip(labels.names, counts.tolist(), strict=True))


def summarize(measures: "Mapping[str, Measure]") -> dict[str, Spread | Mapping[str, int]]:
    """Summarize each measure: numbers by their spread, words by how often each occurs."""
    summaries: dict[str, Spread | Mapping[str, int]] = {}
    for unit, measure in measures.items():
        if not len(measure.values):
            continue
        if measure.values.dtype.kind in "iuf":
            summaries[unit] = Spread.of(measure)
        else:
            summaries[unit] = dict(Counter(measure.values.tolist()).most_common())
    return summaries


def _number(value: float) -> str:
    return f"{value:,.4g}" if value % 1 else f"{value:,.0f}"
