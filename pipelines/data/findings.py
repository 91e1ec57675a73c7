"""What can be said about the data before the first step: sizes, classes, repeats, leaks.

Nothing here stops a run: real data sets leak. What needs attention is told at its start, all of
it by `graft check`, and it is kept in the run folder.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, SINGLE, Labels
from pipelines.data.duplicates import Hashed, Repeats

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.tasks import Measure, Task

NOTABLE = 0.01  # a share of a split that is worth a warning
IMBALANCE = 10  # of two classes at 10:1, who always says the larger one is right in 91 %
SHOWN = 12  # classes on a line
PAIRS = 3  # rows that are named


@dataclass(frozen=True)
class Spread:
    """How a number is spread over the examples of a split.

    Attributes:
        most: what the model takes; None where there is no limit.
        cut: how many examples are longer than that.
    """

    minimum: float
    median: float
    p95: float
    maximum: float
    most: float | None
    cut: int

    @classmethod
    def of(cls, measure: "Measure") -> "Spread":
        """Of one number for each example."""
        values, most = measure.values, measure.limit
        low, median, p95, high = np.quantile(values, (0, 0.5, 0.95, 1)).tolist()
        return cls(low, median, p95, high, most, 0 if most is None else int((values > most).sum()))

    def __str__(self) -> str:
        low, median, p95, high = (
            f"{value:,.4g}" if value % 1 else f"{value:,.0f}"
            for value in (self.minimum, self.median, self.p95, self.maximum)
        )
        spread = f"{low} to {high}, half below {median}, 95 % below {p95}"
        taken = f"; the model takes {self.most:,.6g}" if self.most is not None else ""
        return (spread if low != high else f"all {low}") + taken


@dataclass(frozen=True)
class Split:
    """One part of the data.

    Attributes:
        classes: name -> how many examples have it; empty where there are no classes to count.
        measures: name -> how it is spread, or how often each value occurs.
        repeats: examples that repeat an earlier one of the same part.
    """

    num_examples: int
    classes: Mapping[str, int]
    measures: Mapping[str, Spread | Mapping[str, int]]
    repeats: Repeats

    @property
    def imbalance(self) -> float:
        """How many times as many examples the largest class has as the smallest that has any."""
        sizes = [count for count in self.classes.values() if count]
        return max(sizes) / min(sizes) if sizes else 1.0


@dataclass(frozen=True)
class Findings:
    """All parts, and what they share.

    Attributes:
        shared: (part, other part) -> examples of the other that stand in the first, too.
        advice: what the task offers against classes of very different sizes.
    """

    splits: Mapping[str, Split]
    shared: Mapping[tuple[str, str], Repeats] = field(default_factory=dict)
    advice: str = ""

    def json(self) -> dict[str, Any]:
        """All of it in plain values."""
        shared = [
            {"split": other, "stands_in": part, **asdict(found)}
            for (part, other), found in self.shared.items()
        ]
        splits = {
            name: {**asdict(split), "imbalance": split.imbalance}
            for name, split in self.splits.items()
        }
        return {"splits": splits, "shared": shared, "warnings": list(self.warnings())}

    def warnings(self) -> Iterator[str]:
        """What needs attention, a line for each."""
        for (part, other), found in self.shared.items():
            if found.count:
                rows = _rows(found, " there")
                yield f"{_share(found, other)} also stand in {part}{_contradictions(found)}{rows}"
        for name, split in self.splits.items():
            if split.repeats.with_other_label >= NOTABLE * split.num_examples:
                yield (
                    f"{split.repeats.with_other_label:,} of {split.num_examples:,} {name} examples "
                    "repeat an earlier one with another label"
                )
            for unit, spread in split.measures.items():
                if isinstance(spread, Spread) and spread.cut >= NOTABLE * split.num_examples:
                    share = _percent(spread.cut / split.num_examples)
                    yield (
                        f"{spread.cut:,} of {split.num_examples:,} {name} examples ({share}) have "
                        f"more than {spread.most:,.6g} {unit}: the rest of them is cut off"
                    )
        train = self.splits["train"]
        if train.imbalance >= IMBALANCE:
            there = {name: count for name, count in train.classes.items() if count}
            large, small = (choose(there, key=there.__getitem__) for choose in (max, min))
            yield (
                f"train has {train.imbalance:,.0f} times as many examples of '{large}' "
                f"({there[large]:,}) as of '{small}' ({there[small]:,}){self.advice}"
            )

    def lines(self) -> Iterator[str]:
        """All of it, for people."""
        for name, split in self.splits.items():
            yield f"{name:10} {split.num_examples:,} examples  {_counts(split.classes)}".rstrip()
            for unit, spread in split.measures.items():
                told = spread if isinstance(spread, Spread) else _counts(spread)
                yield f"{'':10} {unit}: {told}"
            if split.repeats.count:
                share = _percent(split.repeats.share)
                rows = _rows(split.repeats)
                yield (
                    f"{'':10} {split.repeats.count:,} ({share}) repeat an earlier one"
                    f"{_contradictions(split.repeats)}{rows}"
                )


def find(
    data: "Data",
    task: "Task",
    encoded: Mapping[str, Any],
    targets: Mapping[str, Any],
    processor: Any,
) -> Findings:
    """Look at all parts of `data`, and at what was made of them."""
    hashed = {part: Hashed.of(rows, task.target) for part, rows in data.parts.items()}
    splits = {
        part: Split(
            num_examples=len(targets[part]),
            classes=_classes(targets[part], data.labels),
            measures=_measures(task.measures(rows.dataset, encoded[part], processor)),
            repeats=hashed[part].within(),
        )
        for part, rows in data.parts.items()
    }
    shared = {
        (part, other): hashed[other].shared_with(hashed[part])
        for part, other in combinations(hashed, 2)
    }
    offers = data.labels.problem_type == SINGLE and not getattr(task, "class_weights", True)
    advice = "; task.class_weights=balanced lets all classes count alike" if offers else ""
    return Findings(splits, shared, advice)


def _classes(targets: Sequence[Any], labels: Labels) -> dict[str, int]:
    if labels.problem_type == SINGLE:
        counts = np.bincount(np.asarray(targets, int), minlength=labels.num_labels)
    elif labels.problem_type == MULTI:
        counts = np.asarray(targets, int).sum(axis=0)
    else:
        return {}
    return dict(zip(labels.names, counts.tolist(), strict=True))


def _measures(measures: "Mapping[str, Measure]") -> dict[str, Spread | Mapping[str, int]]:
    return {
        name: Spread.of(measure)
        if measure.values.dtype.kind in "iuf"
        else dict(Counter(measure.values.tolist()).most_common())
        for name, measure in measures.items()
        if len(measure.values)
    }


def _share(found: Repeats, part: str) -> str:
    return f"{found.count:,} of {found.of:,} {part} examples ({_percent(found.share)})"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _contradictions(found: Repeats) -> str:
    return f", {found.with_other_label:,} with another label" if found.with_other_label else ""


def _rows(found: Repeats, where: str = "") -> str:
    """Some pairs of rows, as a reader would look them up."""
    told = [f"row {here} is row {there}{where}" for there, here in found.rows[:PAIRS]]
    return f" ({', '.join(told)}{', …' * (found.count > PAIRS)})"


def _counts(counts: Mapping[str, int]) -> str:
    """Each by itself, or the largest and the smallest of many."""
    if len(counts) <= SHOWN:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
    large, small = (choose(counts, key=counts.__getitem__) for choose in (max, min))
    if counts[large] == counts[small]:
        return f"{len(counts)}, {counts[large]:,} each"
    return f"{len(counts)}, from {small} {counts[small]:,} to {large} {counts[large]:,}"
