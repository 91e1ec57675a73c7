"""Classes that cannot be learned: what limits and folds leave of train has no example of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError
from pipelines.core.labels import SINGLE, Labels
from pipelines.data import group_draws, group_folds
from pipelines.data.finding import Finding
from pipelines.data.rows import Rows
from pipelines.data.samples import Sampler, inseparable

if TYPE_CHECKING:
    from pipelines.data.dataset import Data
    from pipelines.data.split_statistics import SplitStatistics

MAX_SHOWN = 5


def check(train: Rows, labels: Labels, draw: Sampler, num_folds: int, max_rows: int | None) -> None:
    """Check that classes can be told apart by what limits have left of train, and by its folds.

    Args:
        num_folds: that stand in for a validation split; 0: there is one.
        max_rows: the limit of train, which is named as the cause; None where none was applied.

    Raises:
        DataError: one class is left, or no fold has a class that another has.
    """
    if not draw.strata:
        return
    classes = draw.classes(train)
    present, sizes = np.unique(classes, return_counts=True)
    if len(present) < 2:
        names = dict(zip(labels.values, labels.names, strict=True))
        (value,) = present.tolist()
        name = names.get(value, value)
        cause = f"data.limit.train: {max_rows}: " if max_rows else ""
        raise DataError(
            f"{cause}of {len(labels.names):,} classes train has only '{name}' left (examples: "
            f"{len(train):,}); need two: {'raise the limit' if max_rows else 'add examples'}"
        )
    if not num_folds:
        return
    if train.groups:
        if group_draws.values_of_one_group(classes, train.groups.numbers) == len(present):
            raise inseparable(train, "no fold has a class that the others have, too")
    elif sizes.max() == 1:
        remedy = (
            f"raise data.limit.train ({max_rows})"
            if max_rows
            else "if these are ids, name the column of labels (data.columns.label=…), else add "
            "examples"
        )
        raise DataError(
            f"train: its {len(train):,} examples are too few for folds to stand in for a "
            "validation split: each has a class of its own, so that no fold has a class that "
            f"another has; {remedy}, or provide that split"
        )


def findings(
    data: "Data",
    splits: Mapping[str, "SplitStatistics"],
    targets: Sequence[int],
    repeats: np.ndarray,
) -> Iterator[Finding]:
    """Yield the classes of splits that score which nothing that is scored can have learned.

    Args:
        targets: (rows of train,) class ids, or what else is predicted.
        repeats: (rows of train,) equal in rows with the same inputs.
    """
    if data.stream is None:  # of which the first rows need not have every class
        for name, split in splits.items():
            yield from _of_split(name, split, splits["train"])
    if data.is_folded and data.labels.problem_type == SINGLE:
        yield from _of_folds(data, np.asarray(targets), repeats)


def _of_split(name: str, split: "SplitStatistics", train: "SplitStatistics") -> Iterator[Finding]:
    """Yield the classes that a split has and train has not: limits and filters took them."""
    absent = {
        each: count for each, count in split.classes.items() if count and not train.classes[each]
    }
    if absent:
        yield Finding(
            "warning",
            f"train has no example of {_shown(absent)}, of which {name} has "
            f"{sum(absent.values()):,}: no model learns what train does not have; raise "
            "data.limit.train, or add examples",
            name,
        )


def _of_folds(data: "Data", targets: np.ndarray, repeats: np.ndarray) -> Iterator[Finding]:
    """Yield the classes all of whose examples are in one fold, since they are dealt together."""
    train, names = data.splits["train"], data.labels.names
    units = group_folds.units(train, repeats, data.num_folds, note=lambda _: None)
    pairs = np.unique(np.stack([targets, np.unique(units, return_inverse=True)[1]]), axis=1)
    single = np.flatnonzero(np.bincount(pairs[0], minlength=len(names)) == 1)
    if not len(single):
        return
    count = int(np.isin(targets, single).sum())
    others = "different examples"
    if train.groups:
        others = f"examples of other groups by '{train.groups.column}'"
    yield Finding(
        "error" if count == len(targets) else "warning",
        f"{len(single):,} of {len(names):,} classes have all their examples in one fold: "
        f"{_shown(names[i] for i in single)}; what scores that fold is trained without them, so "
        f"{count:,} of {len(targets):,} examples count as mistakes whatever is learned; add "
        f"{others}, or merge classes",
        "train",
    )


def _shown(names: Iterable[str]) -> str:
    first = [*map(repr, names)]
    return ", ".join(first[:MAX_SHOWN]) + ", …" * (len(first) > MAX_SHOWN)
