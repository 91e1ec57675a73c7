"""A source and a task -> train, validation and test sets that can be learned from.

    1. source.load            the splits there are             split -> Dataset, or a stream
    2. splits.choose          which split plays which part     part -> Dataset
    3. columns.by_role        columns called by their role     Dataset: text, label
    4. bad_rows               rows without a label             DataError, or left out
    5. label_checks, labels   what there is to predict         Labels
    6. splits.set_aside       validation out of train          part -> Rows
    7. splits.limit           as many as asked for             part -> Rows
    8. bad_rows               rows that cannot be read         DataError, or left out
    9. fitting                rows that the model cannot take  DataError, or left out

Nothing is decoded or copied before step 8, and images not before step 9, which waits for the
checkpoint: they are decoded once, into what it wants. Of a train split that is streamed, `streams`
takes the first rows, which go through all of this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.core import labels
from pipelines.core.errors import DataError
from pipelines.core.labels import Labels
from pipelines.data import columns, label_checks, splits, streams
from pipelines.data.bad_rows import BadRow, RowFilter
from pipelines.data.rows import Rows
from pipelines.data.sources import USUAL_NAMES, StreamedSource

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task
    from pipelines.tasks.augmentations import Augmentation


@dataclass(frozen=True)
class Data:
    """Three disjoint sets; their columns are called by role.

    Attributes:
        parts: train, validation and, where there is one, test.
        notes: what was decided for the user and has to be said.
        left_out: bad rows, which are in none of the parts.
        stream: all of train, where `parts` holds only its first rows.
    """

    parts: Mapping[str, Rows]
    labels: Labels
    notes: tuple[str, ...]
    left_out: tuple[BadRow, ...] = ()
    stream: "IterableDataset | None" = None

    @property
    def splits(self) -> "dict[str, Dataset]":
        """The sets that there are, by name."""
        return {part: rows.dataset for part, rows in self.parts.items()}

    @property
    def train(self) -> "Dataset":
        return self.parts["train"].dataset

    @property
    def validation(self) -> "Dataset":
        return self.parts["validation"].dataset

    @property
    def test(self) -> "Dataset | None":
        return self.parts["test"].dataset if "test" in self.parts else None

    def without(self, part: str) -> "Data":
        """All but one of the parts; the others are what they were."""
        return replace(self, parts={p: rows for p, rows in self.parts.items() if p != part})


def load(source: "Source", task: "Task", seed: int) -> Data:
    """Load, choose, check and cut the data of a run.

    Raises:
        DataError: what does not fit, by split, row, column and value; rows count from 0.
        HubError: a hub is needed and cannot be reached.
    """
    notes: list[str] = []
    note = notes.append
    choice = splits.choose(source.load(), source.splits)
    whole, streamed = choice.parts["train"], _streamed(source)
    if streamed:
        choice = streams.settle(choice, streamed, note)
    parts, roles = _by_role(choice, source, task, note)
    sieve = RowFilter(source.on_bad_row == "skip", note)
    if task.target == "label":
        for part, rows in parts.items():
            parts[part] = sieve.sift(part, rows, label_checks.missing, "have none")
    found = _labels(parts, task, note, is_streamed=bool(streamed))
    by_class = found.problem_type == labels.SINGLE
    draws = splits.Sampler(seed, strata="label" if by_class else None, note=note)
    parts = splits.set_aside(parts, choice, draws)
    for part, rows in parts.items():
        some = splits.limit(part, rows, getattr(source.limit, part), draws)
        parts[part] = sieve.sift(part, some, task.corrupt_rows)
    stream = None
    if streamed:
        streams.refuse_unweighable(parts["train"].dataset, task, found)
        stream = streams.ready(whole, choice.parts["train"], roles, streamed, task, found, seed)
    ordered = {part: parts[part] for part in USUAL_NAMES if part in parts}
    return Data(ordered, found, tuple(notes), tuple(sieve.left_out), stream)


def fitting(
    data: Data,
    task: "Task",
    processor: Any,
    config: Any,
    *,
    skip: bool,
    augmentation: "Augmentation | None" = None,
) -> Data:
    """`data` without the rows that this model cannot take; train is going to be augmented.

    Raises:
        DataError: there is one, and bad rows are not to be skipped.
    """
    notes: list[str] = []
    sieve = RowFilter(skip, notes.append)
    parts = {}
    for part, rows in data.parts.items():
        varied = augmentation if part == "train" else None
        find = partial(
            task.unsupported_rows, processor=processor, config=config, augmentation=varied
        )
        parts[part] = sieve.sift(part, rows, find)
    left_out = (*data.left_out, *sieve.left_out)
    return replace(data, parts=parts, notes=(*data.notes, *notes), left_out=left_out)


def _streamed(source: "Source") -> StreamedSource | None:
    return source if isinstance(source, StreamedSource) and source.streaming else None


def _by_role(
    choice: splits.Choice, source: "Source", task: "Task", note: splits.Note
) -> tuple[splits.Parts, columns.Columns]:
    """(the chosen splits with their columns renamed, the column of each role); less a test split
    that nobody asked for and that has no labels."""
    for part, split in choice.parts.items():
        if not len(split):
            raise DataError(f"{part}: the split is empty")
    there = choice.parts["train"].column_names
    chosen, guessed = columns.choose(there, task.roles, source.columns)
    told = {role: c if isinstance(c, str) else ", ".join(c) for role, c in guessed.items()}
    renamed = [f"{role} is '{column}'" for role, column in told.items() if role != column]
    if renamed:
        note(f"columns: {', '.join(renamed)}")
    parts: splits.Parts = {}
    for part, split in choice.parts.items():
        target = task.target if part == "test" and part in choice.guessed else None
        if target and not columns.has(split, chosen, target):
            note(f"test split has no {target} column: not used")
            continue
        split = columns.by_role(split, chosen, part)
        if target and label_checks.are_hidden(split, parts["train"].dataset, target):
            note(f"test split has no {target}s ({split[0][target]}): not used")
            continue
        parts[part] = Rows.of(split, part)
    return parts, chosen


def _labels(
    parts: splits.Parts, task: "Task", note: splits.Note, *, is_streamed: bool = False
) -> Labels:
    """What train has to teach; no other part may ask for more.

    Of a stream nobody knows what is still to come: it teaches what validation asks for, too.
    """
    train = parts["train"].dataset
    if task.target == "label":
        for part, rows in parts.items():
            label_checks.refuse_other_names(rows.dataset, train, part)
    if is_streamed:
        train = streams.together(train, parts["validation"].dataset)
    found = task.labels(train)
    if found.problem_type not in labels.CLOSED:
        return found
    for part, rows in parts.items():
        label_checks.refuse_unlearnable(rows, train, found, part)
    if found.problem_type == labels.REGRESSION:
        note(f"labels are floats: a regression; for classes say task.problem_type={labels.SINGLE}")
    absent = label_checks.classes_without_examples(train, found)
    if absent:
        told = ", ".join(absent[:5]) + ", …" * (len(absent) > 5)
        note(f"{len(absent)} of {len(found.names)} classes have no example in train: {told}")
    return found
