"""Several sources -> one, whose rows remember which of them they are of.

1. selection.select    each source by itself: splits, columns, the form of the task
2. samples.limit       so many rows of a source, as it says itself
3. united_labels       classes are the same by name, not by number
4. united_rows         types of columns, groups; split -> Rows of all sources
5. cut                 validation or test of those sources that have none, beside others' own
"""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core.errors import listed
from pipelines.data import samples, selection, united_labels, united_rows
from pipelines.data.bad_rows import RowFilter
from pipelines.data.dataset import Note
from pipelines.data.renamed_keys import named, renamed
from pipelines.data.rows import Rows
from pipelines.data.selection import Selection
from pipelines.data.split_names import USUAL_NAMES
from pipelines.data.splits import SplitAssignment

if TYPE_CHECKING:
    from pipelines.data.sources import Source
    from pipelines.data.sources.several import Several
    from pipelines.tasks import Task

Parts = dict[str, Selection]  # name of a source -> what it has


def select(
    source: "Several", task: "Task", seed: int, bad_rows: RowFilter, note: Note
) -> Selection:
    """Load all sources that are trained on, and unite them.

    Raises:
        DataError: a source that does not fit the task or the others, in its own keys.
        HubError: a hub is needed and cannot be reached.
    """
    names = (*source.trained,)
    parts: Parts = {}
    for number, (name, each) in enumerate(source.trained.items()):
        parts[name] = _part(each, task, seed, bad_rows, note, names, number)
    rows: united_rows.BySource = {name: part.rows for name, part in parts.items()}
    united_rows.check_columns(rows)
    if task.target == "label":
        rows = united_labels.unite(rows)
    rows = united_rows.grouped_alike(united_rows.as_first(rows))
    first = parts[names[0]]
    assignment, shares = _assignment(parts)
    united = {}
    for split in USUAL_NAMES:
        if present := [each[split] for each in rows.values() if split in each]:
            united[split] = united_rows.joined(present)
            _note_absent(split, parts, shares, note)
    unused = dict(ChainMap(*(part.unused for part in parts.values())))
    return Selection(first.whole, assignment, united, first.roles, unused, shares)


def cut(
    rows_by_split: Mapping[str, Rows],
    shares: Mapping[str, Mapping[str, float]],
    draw: samples.Sampler,
) -> dict[str, Rows]:
    """Cut a split from the train rows of those sources that have none, where others have one.

    Args:
        shares: split -> name of a source -> share.

    Raises:
        DataError: a source has too few rows.
    """
    result = dict(rows_by_split)
    for split in ("test", "validation"):  # in the order of a single source
        for name, share in shares.get(split, {}).items():
            train = result["train"]
            assert train.domains
            is_own = train.domains.numbers == train.domains.names.index(name)
            of_source, others = (train.select(np.flatnonzero(mask)) for mask in (is_own, ~is_own))
            assignment = SplitAssignment({}, {}, {split: share}, frozenset())
            noted = replace(draw, note=_noted(draw.note, name))
            rows, num_rows = {"train": of_source}, len(of_source)
            with named(f"data.sources.{name}"):
                divided = samples.set_aside(split, rows, assignment, num_rows, noted)
            result["train"] = united_rows.joined([others, divided["train"]])
            known = [result[split]] if split in result else []
            result[split] = united_rows.joined([*known, divided[split]])
    return result


def describe(rows_by_split: Mapping[str, Rows]) -> str:
    """Describe how many rows each source has in each split; empty where there is one source."""
    train = rows_by_split["train"].domains
    if train is None:
        return ""
    shown = []
    for split, rows in rows_by_split.items():
        assert rows.domains
        counts = np.bincount(rows.domains.numbers, minlength=len(train.names))
        sizes = (f"{name} {count:,}" for name, count in zip(train.names, counts, strict=True))
        shown.append(f"{split} ({', '.join(sizes)})")
    return f"sources: {'; '.join(shown)}"


def _part(
    source: "Source",
    task: "Task",
    seed: int,
    bad_rows: RowFilter,
    note: Note,
    names: tuple[str, ...],
    number: int,
) -> Selection:
    """Load one of several sources."""
    name = names[number]
    noted = _noted(note, name)
    with named(f"data.sources.{name}"):
        own_rows = replace(bad_rows, note=noted)
        part = selection.select(source, task, own_rows, noted, names, number)
        # in no stratum: labels are not known to be single classes yet
        draw = samples.Sampler(seed, None, noted)
        limits = dict(source.limit)
        rows = {s: samples.limit(s, each, limits[s], draw) for s, each in part.rows.items()}
    return replace(part, rows=rows)


def _noted(note: Note, name: str) -> Note:
    """Make notes of the stages name the source."""
    return lambda text: note(f"{name}: {renamed(text, f'data.sources.{name}')}")


def _assignment(parts: Parts) -> tuple[SplitAssignment, dict[str, dict[str, float]]]:
    """Unite what serves as each split.

    Returns:
        (the assignment of all sources, the shares in which they differ).
    """
    assignments = {name: part.assignment for name, part in parts.items()}
    first = next(iter(assignments.values()))
    names, shares = {}, {}
    differing: dict[str, dict[str, float]] = {}
    guessed = frozenset.intersection(*(each.guessed for each in assignments.values()))
    for split in USUAL_NAMES:
        names_of_split = [each.names[split] for each in assignments.values() if split in each.names]
        cuts = {n: each.shares[split] for n, each in assignments.items() if split in each.shares}
        if len(cuts) == len(parts) and len({*cuts.values()}) == 1:
            shares[split] = first.shares[split]
        elif cuts:
            differing[split] = cuts
        if names_of_split or split in differing:
            names[split] = ", ".join(dict.fromkeys(names_of_split or ["shares of train"]))
    return SplitAssignment(first.datasets, names, shares, guessed), differing


def _note_absent(
    split: str, parts: Parts, shares: Mapping[str, Mapping[str, float]], note: Note
) -> None:
    """Note which sources have no rows in a split that others have."""
    cuts = shares.get(split, {})
    absent = [name for name, part in parts.items() if split not in part.rows and name not in cuts]
    if absent:
        note(f"{split}: has no rows of {listed(absent)}, which have no such split")
