"""Choose train, validation and test; cut what is missing from train; draw limited samples.

Splits never share an example, and no split ever stands in for another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError, suggest
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows
from pipelines.data.sources import USUAL_NAMES, SplitNames

if TYPE_CHECKING:
    from datasets import Dataset

DEFAULT_VALIDATION_SHARE = 0.1  # of train, if the source has no validation split


@dataclass(frozen=True)
class SplitAssignment:
    """What was chosen for train, validation and test.

    Attributes:
        datasets: split -> the data set that serves as it, whole.
        names: split -> the name of that data set in the source.
        shares: split -> the share of train to cut off for it.
        guessed: splits that the recipe does not mention.
    """

    datasets: dict[str, "Dataset"]
    names: dict[str, str]
    shares: dict[str, float]
    guessed: frozenset[str]

    def without_share(self, split: str) -> "SplitAssignment":
        """Leave all of train to train, instead of cutting off this split."""
        shares = {name: share for name, share in self.shares.items() if name != split}
        return replace(self, shares=shares)


@dataclass(frozen=True)
class Sampler:
    """How examples are drawn.

    Attributes:
        seed: the same seed draws the same examples.
        strata: the column each of whose values is drawn in proportion; None for a plain draw.
        note: is called with what was drawn.
    """

    seed: int
    strata: str | None
    note: Note

    def values(self, rows: Rows) -> np.ndarray:
        """Return the (rows,) values to draw in proportion: all 0 without `strata`."""
        if not self.strata:
            return np.zeros(len(rows), dtype=int)
        return np.asarray(rows.dataset[self.strata][:])

    def report(self, drawn: str) -> None:
        """Note what was drawn, and how."""
        self.note(f"{drawn}, {'stratified, ' if self.strata else ''}seed {self.seed}")


def assign(available: Mapping[str, "Dataset"], requested: SplitNames) -> SplitAssignment:
    """Assign a data set to each split: as the recipe says, else by the usual names.

    Raises:
        DataError: no data set of that name, one for two splits, none for train, or shares that
            leave nothing of train.
    """
    names: dict[str, str] = {}
    shares: dict[str, float] = {}
    named = [*requested.names.values()]
    for split, usual in USUAL_NAMES.items():
        share = getattr(requested, split)
        if isinstance(share, float):
            shares[split] = share
        elif split in requested.names:
            names[split] = requested.names[split]
            _check_name(available, split, names[split])
        elif split != "test" or split not in requested.model_fields_set:  # `test: null` means none
            # a split that the recipe names for something else is never guessed as well
            free = [n for n in usual if n in available and n not in named]
            if free:
                names[split] = free[0]
    if "train" not in names:
        raise _no_train(available, requested)
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise DataError(
            f"data.splits: '{twice}' is named twice, but splits never share an example; "
            "name another split, or give a share of train, such as data.splits.validation=0.1"
        )
    if "validation" not in {*names, *shares}:
        shares["validation"] = DEFAULT_VALIDATION_SHARE
        _check_default_share(shares)
    datasets = {split: available[name] for split, name in names.items()}
    guessed = {split for split, name in requested if name is None}
    return SplitAssignment(datasets, names, shares, frozenset(guessed))


def _check_name(available: Mapping[str, "Dataset"], split: str, name: str) -> None:
    if name not in available:
        raise DataError(f"data.splits.{split}: no split '{name}'; {suggest(name, available)}")


def _check_default_share(shares: Mapping[str, float]) -> None:
    if sum(shares.values()) >= 1:
        raise DataError(
            f"data.splits: there is no validation split, so {DEFAULT_VALIDATION_SHARE:g} of train "
            f"is cut off for it, which leaves nothing beside test={shares['test']:g}; give smaller "
            "shares"
        )


def _no_train(available: Mapping[str, "Dataset"], requested: SplitNames) -> DataError:
    for split, name in requested.names.items():
        if name in USUAL_NAMES["train"]:
            return DataError(
                f"data.splits.{split}: '{name}' is the split to train on, and splits never share "
                f"an example; give a share of it, data.splits.{split}=0.1, or name another split "
                "for train (data.splits.train=…)"
            )
    return DataError(f"no split 'train'; set data.splits.train=…; {suggest('train', available)}")


def cut_from_train(
    splits: Mapping[str, Rows], assignment: SplitAssignment, draw: Sampler
) -> dict[str, Rows]:
    """Move the shares of train that `assignment` gives to other splits.

    Every class keeps an example in train, so that whatever is evaluated can have been learned.

    Raises:
        DataError: train is too small.
    """
    train, result = splits["train"], dict(splits)
    values, rest = draw.values(train), np.arange(len(train))
    for split, share in assignment.shares.items():
        # at least one: an empty split cannot be scored
        count = max(1, round(share * len(train)))
        drawn = stratified_sample(values[rest], count, draw.seed, min_left=1)
        if not len(drawn):
            raise _too_few(len(rest), split, draw)
        cause = f"no {split} split" if split in assignment.guessed else split
        draw.report(f"{cause}: {100 * share:.3g} % of train ({len(drawn):,} examples) set aside")
        result[split] = train.select(rest[drawn])
        # the next split is cut from what is left, so that no two share an example
        rest = np.delete(rest, drawn)
        result["train"] = train.select(rest)
    singles = int((np.unique(values, return_counts=True)[1] == 1).sum())
    if assignment.shares and singles:
        draw.note(f"classes whose only example stays in train: {singles:,}")
    return result


def _too_few(num_rows: int, split: str, draw: Sampler) -> DataError:
    shown = f"train: its {num_rows:,} examples are too few to cut a {split} split from them"
    if draw.strata and num_rows > 1:  # a class of two examples would have given one
        return DataError(
            f"{shown}: each has a class of its own, and train keeps one of each; if these are ids, "
            "name the column of labels (data.columns.label=…), else add examples, or provide that "
            "split"
        )
    return DataError(f"{shown}; add examples, or provide that split")


def limit(split: str, rows: Rows, max_rows: int | None, draw: Sampler) -> Rows:
    """Draw at most `max_rows` examples of a split, in their order; None for all."""
    if max_rows is None or max_rows >= len(rows):
        return rows
    draw.report(f"{split}: {max_rows:,} of {len(rows):,} examples (data.limit.{split})")
    return rows.select(stratified_sample(draw.values(rows), max_rows, draw.seed))


def stratified_sample(values: np.ndarray, count: int, seed: int, min_left: int = 0) -> np.ndarray:
    """Draw `count` positions so that each value keeps its proportion.

    Quotas are rounded by largest remainder, ties in random order, so the count is exact.

    Args:
        values: (rows,) the value of each row.
        min_left: how many examples of each value must stay; fewer than `count` are drawn only if
            this leaves no others.

    Returns:
        (count,) sorted positions.
    """
    random = np.random.default_rng(seed)
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    available = np.maximum(sizes - min_left, 0)
    count = min(count, int(available.sum()))
    # from all rows, so that the examples that must stay do not skew the proportions
    quotas = count * sizes / len(values)
    taken = np.minimum(quotas.astype(int), available)
    # largest remainder first; the random key only orders equal remainders
    order = np.lexsort((random.random(len(sizes)), taken - quotas))
    # each turn gives one to as many values as are short; more turns only where values run out
    while (short := count - int(taken.sum())) > 0:
        able = order[taken[order] < available[order]]
        taken[able[:short]] += 1
    members = (random.permutation(np.flatnonzero(inverse == i)) for i in range(len(sizes)))
    return np.sort(np.concatenate([m[:n] for m, n in zip(members, taken, strict=True)]))
