"""The target: rows of another domain, which a model is adapted to without their labels.

    1. source.load        as of `data`               name -> Dataset
    2. _split_names       what is adapted to, what is scored: `train` and `test`, or one table
    3. target_columns     named by role, as in train; a label is not needed
    4. samples            the test split that is a share of train; limits
    5. target_labels      of what is scored, in the spelling of train
    6. filtered           rows that cannot be read

Labels of a target never train and never choose. They are used for scores alone: once, at the end,
and while training only where `evaluation.target_oracle` asks for it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest
from pipelines.data import samples, target_columns, target_labels
from pipelines.data.bad_rows import FindBadRows, RowFilter
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.renamed_keys import named, renamed
from pipelines.data.rows import Rows
from pipelines.data.splits import SplitAssignment
from pipelines.data.target_rows import Target

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.data.sources import Source
    from pipelines.tasks import Task

SPLITS = ("train", "test")  # of a target, which has none to validate by


def load(
    of_run: "Source",
    task: "Task",
    labels: "Labels",
    train: "Dataset",
    train_roles: Columns,
    seed: int,
    note: Note,
) -> Target | None:
    """Load the rows of a run's target; None where there is none.

    Args:
        of_run: the data of the run, which may name another domain.
        labels: what there is to predict, as train shows it.
        train: rows of the source domain.
        train_roles: role -> column there.
        note: is called with what was inferred.

    Raises:
        DataError: data that do not fit, in the keys of the section that names it.
        HubError: a hub is needed and cannot be reached.
    """
    source, key = of_run.other_domain, of_run.other_domain_key
    if source is None:
        return None
    noted = note_of(note, key)
    # in no stratum: not even by a draw do labels choose
    draw = samples.Sampler(seed, None, noted)
    with named(key):
        rows, roles = _selected(source, task, train_roles, noted)
        rows = _cut(rows, source, draw)
        for split in rows:
            limit = getattr(source.limit, split)
            rows[split] = samples.limit(split, rows[split], limit, draw)
        scored = _scored(rows, source, draw)
        labeled = target_labels.select(scored, task, labels, train, noted)
        inputs = [role for role in roles if role != "label"]
        unlabeled = replace(rows["train"], dataset=rows["train"].dataset.select_columns(inputs))
    target = Target(unlabeled, labeled, key, skip=source.on_bad_row == "skip")
    return filtered(target, task.corrupt_rows, note)


def _selected(
    source: "Source", task: "Task", train_roles: Columns, note: Note
) -> tuple[dict[str, Rows], Columns]:
    """Load what is adapted to and what is scored, with columns named by role."""
    available = source.load()
    for text in getattr(available, "notes", ()):
        note(text)
    names = _split_names(available, source)
    datasets = {split: available[name] for split, name in names.items()}
    return target_columns.select(datasets, names, source, task, available, train_roles, note)


def filtered(target: Target, find: FindBadRows, note: Note) -> Target:
    """Remove the rows of a target that `find` reports.

    Raises:
        DataError: there is such a row, and it is not to be skipped.
    """
    bad_rows = RowFilter(target.skip, note_of(note, target.key))
    with named(target.key):
        unlabeled = bad_rows.apply(target.unlabeled.origin, target.unlabeled, find)
        labeled = target.labeled and bad_rows.apply(target.labeled.origin, target.labeled, find)
    left_out = (*target.left_out, *bad_rows.left_out)
    return replace(target, unlabeled=unlabeled, labeled=labeled, left_out=left_out)


def note_of(note: Note, key: str) -> Note:
    """Make notes of the stages name the keys of the section `key`."""
    return lambda text: note(f"target: {renamed(text, key)}")


def _split_names(available: "Mapping[str, Dataset]", source: "Source") -> dict[str, str]:
    """Name the split that is adapted to, and the one that is scored if it is another."""
    requested = source.splits.names
    for split, name in requested.items():
        if name not in available:
            raise DataError(f"data.splits.{split}: no split '{name}'; {suggest(name, available)}")
    free = [name for name in available if name not in requested.values()]
    alone = free[0] if len(free) == 1 else None
    usual = {split: split if split in free else None for split in SPLITS}
    train = requested.get("train") or usual["train"] or alone
    if train is None:
        raise DataError(f"no split 'train'; set data.splits.train=…; {suggest('train', available)}")
    is_open = "test" not in source.splits.model_fields_set
    test = requested.get("test") or (usual["test"] if is_open else None)
    return {"train": train, **({"test": test} if test and test != train else {})}


def _cut(rows: dict[str, Rows], source: "Source", draw: samples.Sampler) -> dict[str, Rows]:
    """Cut the test split from train, if the recipe says a share."""
    share = source.splits.test
    if not isinstance(share, float):
        return rows
    assignment = SplitAssignment({}, {}, {"test": share}, frozenset())
    return samples.set_aside("test", rows, assignment, len(rows["train"]), draw)


def _scored(rows: Mapping[str, Rows], source: "Source", draw: samples.Sampler) -> Rows:
    """Return the rows that are scored if they have labels."""
    if "test" in rows:
        return rows["test"]
    train = rows["train"]
    if "label" in train.dataset.column_names:
        draw.note(
            f"one table of {len(train):,} rows: it is adapted to without its labels, and scored; "
            "for other rows to score set data.splits.test"
        )
    return samples.limit("test", train, source.limit.test, draw)
