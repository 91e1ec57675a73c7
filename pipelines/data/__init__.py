"""A source and a task -> train, validation and test sets that can be learned from.

    1. source.load            the splits there are             DatasetDict
    2. splits.choose          which split plays which part     part -> Dataset
    3. columns.by_role        columns called by their role     Dataset: text, label
    4. label_checks, labels   what there is to predict         Labels
    5. splits.set_aside       validation out of train          part -> Dataset
    6. splits.limit           as many as asked for             part -> Dataset
    7. task.unreadable        every row can be read            DataError, or nothing

Nothing is decoded or copied before step 7.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines import labels
from pipelines.data import columns, label_checks, splits
from pipelines.errors import DataError
from pipelines.labels import Labels

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.sources import Source
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Data:
    """Three disjoint sets; their columns are called by role.

    Attributes:
        notes: what was decided for the user and has to be said.
    """

    train: "Dataset"
    validation: "Dataset"
    test: "Dataset | None"
    labels: Labels
    notes: tuple[str, ...]

    @property
    def splits(self) -> "dict[str, Dataset]":
        """The sets that there are, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def load(source: "Source", task: "Task", seed: int) -> Data:
    """Load, choose, check and cut the data of a run.

    Raises:
        DataError: what does not fit, by split, row, column and value; rows count from 0.
        HubError: a hub is needed and cannot be reached.
    """
    notes: list[str] = []
    note = notes.append
    choice = splits.choose(source.load(), source.splits)
    parts = _by_role(choice, source, task, note)
    found = _labels(parts, task, note)
    by_class = found.problem_type == labels.SINGLE
    draws = splits.Draws(seed, strata="label" if by_class else None, note=note)
    cut = splits.set_aside(parts, choice, draws)
    cut = {p: splits.limit(p, s, getattr(source.limit, p), draws) for p, s in cut.items()}
    for part, split in cut.items():
        _check_rows(task, split, part, drawn=split is not parts.get(part))
    return Data(cut["train"], cut["validation"], cut.get("test"), found, tuple(notes))


def _by_role(
    choice: splits.Choice, source: "Source", task: "Task", note: splits.Note
) -> splits.Parts:
    """The chosen splits with their columns renamed; less a test split that nobody asked for and
    that has no labels."""
    for part, split in choice.parts.items():
        if not len(split):
            raise DataError(f"{part}: the split is empty")
    there = choice.parts["train"].column_names
    chosen, guessed = columns.choose(there, task.roles, source.columns)
    renamed = [f"{role} is '{column}'" for role, column in guessed.items() if role != column]
    if renamed:
        note(f"columns: {', '.join(renamed)}")
    parts: splits.Parts = {}
    for part, split in choice.parts.items():
        target = task.target if part == "test" and part in choice.guessed else None
        if target and not columns.has(split, chosen, target):
            note(f"test split has no {target} column: not used")
            continue
        split = columns.by_role(split, chosen, part)
        if target and label_checks.are_hidden(split, parts["train"], target):
            note(f"test split has no {target}s ({split[0][target]}): not used")
            continue
        parts[part] = split
    return parts


def _labels(parts: splits.Parts, task: "Task", note: splits.Note) -> Labels:
    """What train has to teach; no other part may ask for more."""
    train = parts["train"]
    if task.target == "label":
        for part, split in parts.items():
            label_checks.refuse_missing(split, part)
            label_checks.refuse_other_names(split, train, part)
    found = task.labels(train)
    if found.problem_type not in labels.PROBLEM_TYPES:
        return found
    for part, split in parts.items():
        label_checks.refuse_unlearnable(split, train, found, part)
    if found.problem_type == labels.REGRESSION:
        note(f"labels are floats: a regression; for classes say task.problem_type={labels.SINGLE}")
    absent = label_checks.classes_without_examples(train, found)
    if absent:
        told = ", ".join(absent[:5]) + ", …" * (len(absent) > 5)
        note(f"{len(absent)} of {len(found.names)} classes have no example in train: {told}")
    return found


def _check_rows(task: "Task", split: "Dataset", part: str, drawn: bool) -> None:
    where = " (counted among the rows that were drawn)" if drawn else ""
    for row, why in task.unreadable(split):
        raise DataError(f"{part}, row {row}: {why}{where}")
