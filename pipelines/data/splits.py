"""Which split plays train, validation and test; what is set aside or drawn where that is asked for.

Parts never share an example, and no part ever stands in for another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import DataError, suggest
from pipelines.data.rows import Rows
from pipelines.data.sources import USUAL_NAMES, SplitNames

if TYPE_CHECKING:
    from datasets import Dataset

Note = Callable[[str], None]
Parts = dict[str, Rows]

DEFAULT_SHARE = 0.1  # of train, where there is no validation split


@dataclass(frozen=True)
class Choice:
    """What was chosen for each part.

    Attributes:
        parts: part -> the split that plays it, whole.
        shares: part -> the share of train to set aside for it.
        guessed: parts that the recipe does not mention.
    """

    parts: dict[str, "Dataset"]
    shares: dict[str, float]
    guessed: frozenset[str]


@dataclass(frozen=True)
class Sampler:
    """How examples are drawn: with `seed`, each value of the column `strata` in proportion."""

    seed: int
    strata: str | None
    note: Note

    def values(self, rows: Rows) -> np.ndarray:
        """(rows,) values to draw in proportion; all the same where no column is named."""
        if not self.strata:
            return np.zeros(len(rows), dtype=int)
        return np.asarray(rows.dataset[self.strata][:])

    def tell(self, what: str) -> None:
        self.note(f"{what}, {'stratified, ' if self.strata else ''}seed {self.seed}")


def choose(found: Mapping[str, "Dataset"], wanted: SplitNames) -> Choice:
    """Give each part its split, by the recipe first, then by the usual names.

    Raises:
        DataError: no split of that name, one split for two parts, or none for train.
    """
    parts: dict[str, Dataset] = {}
    shares: dict[str, float] = {}
    named = [name for _, name in wanted if isinstance(name, str)]
    for part, usual in USUAL_NAMES.items():
        name = getattr(wanted, part)
        if isinstance(name, float):
            shares[part] = name
        elif name is not None:
            parts[part] = _named(found, part, name)
        elif part != "test" or part not in wanted.model_fields_set:
            free = [n for n in usual if n in found and n not in named]
            if free:
                parts[part] = found[free[0]]
    if "train" not in parts:
        raise DataError(f"no split 'train'; say data.splits.train=…; {suggest('train', found)}")
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise DataError(f"data.splits: '{twice}' plays two parts; parts never share an example")
    if "validation" not in {*parts, *shares}:
        shares["validation"] = DEFAULT_SHARE
    guessed = {part for part, name in wanted if name is None}
    return Choice(parts, shares, frozenset(guessed))


def _named(found: Mapping[str, "Dataset"], part: str, name: str) -> "Dataset":
    if name not in found:
        raise DataError(f"data.splits.{part}: no split '{name}'; {suggest(name, found)}")
    return found[name]


def set_aside(parts: Parts, choice: Choice, draws: Sampler) -> Parts:
    """`parts`, with shares of train moved to parts of their own.

    Every class keeps an example in train, so that whatever is asked later can have been learned.

    Raises:
        DataError: train is too small to set anything aside.
    """
    whole, result = parts["train"], dict(parts)
    values, rest = draws.values(whole), np.arange(len(whole))
    for part, share in choice.shares.items():
        wanted = max(1, round(share * len(whole)))
        picked = draw(values[rest], wanted, draws.seed, keep=1)
        if not len(picked):
            raise DataError(f"train: its {len(whole)} examples are too few to set {part} aside")
        why = f"no {part} split" if part in choice.guessed else part
        draws.tell(f"{why}: {100 * share:.3g} % of train ({len(picked):,} examples) set aside")
        result[part] = whole.select(rest[picked])
        rest = np.delete(rest, picked)
        result["train"] = whole.select(rest)
    singles = int((np.unique(values, return_counts=True)[1] == 1).sum())
    if choice.shares and singles:
        draws.note(f"classes whose only example stays in train: {singles:,}")
    return result


def limit(part: str, rows: Rows, most: int | None, draws: Sampler) -> Rows:
    """At most `most` examples of a part, drawn, in their order."""
    if most is None or most >= len(rows):
        return rows
    draws.tell(f"{part}: {most:,} of {len(rows):,} examples (data.limit.{part})")
    return rows.select(draw(draws.values(rows), most, draws.seed))


def draw(values: np.ndarray, count: int, seed: int, keep: int = 0) -> np.ndarray:
    """Sorted positions of `count` examples, drawn so that each value has its share of them.

    Shares are rounded by largest remainder, ties in random order, so the count is exact. At
    least `keep` examples of each value are left; fewer are drawn only where that forbids more.
    """
    random = np.random.default_rng(seed)
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    most = np.maximum(sizes - keep, 0)
    count = min(count, int(most.sum()))
    quotas = count * sizes / len(values)
    taken = np.minimum(quotas.astype(int), most)
    order = np.lexsort((random.random(len(sizes)), taken - quotas))
    while (short := count - int(taken.sum())) > 0:
        able = order[taken[order] < most[order]]
        taken[able[:short]] += 1
    members = (random.permutation(np.flatnonzero(inverse == i)) for i in range(len(sizes)))
    return np.sort(np.concatenate([m[:n] for m, n in zip(members, taken, strict=True)]))
