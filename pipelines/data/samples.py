"""Draw rows: those that are set aside from train, and samples of splits that are limited."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.core.errors import DataError
from pipelines.core.labels import SINGLE, Labels
from pipelines.data import group_draws
from pipelines.data.dataset import Note
from pipelines.data.rows import Rows
from pipelines.data.splits import SplitAssignment


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
        """Return the (rows,) values to draw in proportion, each of them in each source.

        All are 0 without `strata`.
        """
        if self.strata is None:
            return rows.by_source(np.zeros(len(rows), dtype=int))
        return rows.by_source(self.classes(rows))

    def classes(self, rows: Rows) -> np.ndarray:
        """Return the (rows,) values of the column `strata`."""
        return np.asarray(rows.dataset[self.strata][:])

    def report(self, drawn: str) -> None:
        """Note what was drawn, and how."""
        self.note(f"{drawn}, {'stratified, ' if self.strata else ''}seed {self.seed}")


def set_aside(
    split: str,
    splits: Mapping[str, Rows],
    assignment: SplitAssignment,
    num_rows: int,
    draw: Sampler,
) -> dict[str, Rows]:
    """Move the share of train that `assignment` gives to a split, if it gives one.

    Every class keeps an example in train, so that whatever is evaluated can have been learned, and
    no group is on both sides.

    Args:
        num_rows: of which it is the share.

    Raises:
        DataError: train is too small, or its groups are too few.
    """
    if split not in assignment.shares:
        return dict(splits)
    train, share = splits["train"], assignment.shares[split]
    values = draw.values(train)
    # at least one: an empty split cannot be scored
    count = max(1, round(share * num_rows))
    if train.groups:
        drawn = group_draws.cut(values, train.groups.numbers, count / len(train), draw.seed)
    else:
        drawn = stratified_sample(values, count, draw.seed, min_left=1)
    if not len(drawn):
        raise _too_few(train, split, draw)
    cut, rest = train.select(drawn), train.select(np.delete(np.arange(len(train)), drawn))
    cause = f"no {split} split" if split in assignment.guessed else split
    size = f"{len(cut):,} examples"
    if train.groups and cut.groups:
        size += f", {cut.groups.count:,} of {train.groups.count:,} groups"
    draw.report(f"{cause}: {100 * share:.3g} % of train ({size}) set aside")
    is_last = split == "validation" or "validation" not in assignment.shares
    if draw.strata and is_last:
        _note_singles(train, values, draw)
    return {**splits, split: cut, "train": rest}


def _note_singles(train: Rows, values: np.ndarray, draw: Sampler) -> None:
    """Note how many classes could not be on both sides."""
    examples, singles = "only example", int((np.unique(values, return_counts=True)[1] == 1).sum())
    if train.groups:
        examples = "examples are all of one group, which"
        singles = group_draws.values_of_one_group(values, train.groups.numbers)
    if singles:
        draw.note(f"classes whose {examples} stays in train: {singles:,}")


def _too_few(train: Rows, split: str, draw: Sampler) -> DataError:
    shown = f"train: its {len(train):,} examples are too few to cut a {split} split from them"
    if train.groups:
        return inseparable(train, f"no {split} split can be cut")
    if draw.strata and len(train) > 1:  # a class of two examples would have given one
        return DataError(
            f"{shown}: each has a class of its own, and train keeps one of each; if these are ids, "
            "name the column of labels (data.columns.label=…), else add examples, or provide that "
            "split"
        )
    return DataError(f"{shown}; add examples, or provide that split")


def inseparable(train: Rows, consequence: str) -> DataError:
    """Say that no group of train can be taken from it, and what to do."""
    groups = train.groups
    assert groups
    held = f"all {len(train):,} examples of train are of one group"
    if groups.count > 1:
        held = f"each of its {groups.count:,} groups in train has all examples of a class"
    return DataError(
        f"data.group: '{groups.column}': {held}: {consequence}; name another column, provide the "
        "splits, or leave data.group out"
    )


def limit_classes(train: Rows, max_rows: int | None, labels: Labels, draw: Sampler) -> Rows:
    """Draw at most `max_rows` examples of each class, in their order; None for all.

    The same seed draws the rows of a smaller limit among those of a larger one.

    Raises:
        DataError: examples do not have one class each.
    """
    if max_rows is None:
        return train
    if labels.problem_type != SINGLE:
        raise DataError(
            f"data.limit_per_class: {max_rows}: this is {labels.problem_type}, where examples do "
            "not have one class each; use data.limit.train=…, which is a number of examples"
        )
    _, inverse, sizes = np.unique(draw.classes(train), return_inverse=True, return_counts=True)
    order = np.random.default_rng(draw.seed).permutation(len(train))
    by_class = order[np.argsort(inverse[order], kind="stable")]
    places = np.arange(len(train)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn = np.sort(by_class[places < max_rows])
    if len(drawn) == len(train):
        return train
    smaller = int((sizes < max_rows).sum())
    fewer = f"; {smaller:,} of {len(sizes):,} classes have fewer" if smaller else ""
    draw.note(
        f"train: {len(drawn):,} of {len(train):,} examples, at most {max_rows:,} of each class "
        f"(data.limit_per_class), seed {draw.seed}{fewer}"
    )
    return train.select(drawn)


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
