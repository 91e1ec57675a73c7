"""A train split that is streamed: only its first rows are ever in memory.

Those rows stand for all of train wherever something must be known before training: columns,
labels, checks, the baseline.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.core.labels import CLOSED, REGRESSION, Labels
from pipelines.data import columns, label_checks
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.splits import SplitAssignment

if TYPE_CHECKING:
    from datasets import Dataset, Features, IterableDataset

    from pipelines.data.sources import StreamedSource
    from pipelines.tasks import Task

NUM_FIRST_ROWS = 1000  # that stand for all of train
BATCH_ROWS = 1000  # rows read at a time


def materialize(
    assignment: SplitAssignment, source: "StreamedSource", note: Note
) -> SplitAssignment:
    """Read streams into memory: the first rows of train, the other splits up to `data.limit`.

    Raises:
        DataError: a split is to be cut from train, which is streamed.
    """
    for split in assignment.shares:
        raise DataError(
            f"{split}: nothing can be set aside from a train split that is streamed; "
            f"name a split: data.splits.{split}=…"
        )
    limits = {
        **dict(source.limit),
        "train": min(NUM_FIRST_ROWS, source.limit.train or NUM_FIRST_ROWS),
    }
    datasets = dict(assignment.datasets)
    for split, stream in assignment.datasets.items():
        # a source may stream train alone (files) or every split (the Hub)
        if not hasattr(stream, "__len__"):
            datasets[split] = take(stream, limits[split], split)
            if split != "train" and limits[split]:
                num_rows = len(datasets[split])
                note(f"{split}: its first {num_rows:,} examples (data.limit.{split})")
    note(
        f"train is streamed: its first {len(datasets['train']):,} rows stand for all of it in "
        "checks, class weights and the baseline; classes are those of these rows and of validation"
    )
    return replace(assignment, datasets=datasets)


def take(stream: "IterableDataset", max_rows: int | None, split: str) -> "Dataset":
    """Read the first `max_rows` rows, or all, into memory; nothing is decoded.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    import pyarrow as pa
    from datasets import Dataset

    first = stream.take(max_rows) if max_rows else stream
    try:
        # as Arrow tables: images and audio stay undecoded bytes
        tables = list(first.with_format("arrow").iter(BATCH_ROWS))
    except Exception as error:  # pandas, pyarrow and the operating system raise their own
        raise DataError(f"{split}: cannot be streamed: {first_line(error)}") from error
    if not tables:
        raise DataError(f"{split}: the split is empty; name another one: data.splits.{split}=…")
    # a chunk in which a column is all null has another type than the others
    table = pa.concat_tables(tables, promote_options="permissive")
    features = stream.features
    return Dataset(table.cast(features.arrow_schema) if features else table)


def concatenate(first: "Dataset", validation: "Dataset") -> "Dataset":
    """Concatenate the first rows of train and all of validation.

    What comes later in a stream is unknown, so the classes of validation count as well.

    Raises:
        DataError: their columns have different types.
    """
    from datasets import concatenate_datasets

    try:
        return concatenate_datasets([first, validation])
    except ValueError as error:
        raise DataError(
            f"validation: other types of columns than train's first rows: {error}"
        ) from None


def check_class_weights(first: "Dataset", task: "Task", labels: Labels) -> None:
    """Check that every class occurs in the rows that class weights are computed from.

    Raises:
        DataError: the recipe asks for class weights, and a class does not occur.
    """
    absent = label_checks.classes_without_examples(first, labels)
    if getattr(task, "class_weights", None) and absent:
        raise DataError(
            f"task.class_weights: weights come from the first {len(first):,} rows of train, which "
            f"have no example of '{absent[0]}'; shuffle train, or leave task.class_weights out"
        )


def prepare(
    whole: SplitAssignment,
    materialized: SplitAssignment,
    roles: Columns,
    source: "StreamedSource",
    task: "Task",
    labels: Labels,
    seed: int,
) -> "IterableDataset":
    """Name columns by role, remove bad rows and shuffle in a buffer.

    Workers and processes each read other rows.

    Args:
        whole: what was streamed.
        materialized: its first rows, whose columns and types all others are expected to have.

    Raises:
        DataError: while iterating: a bad row that is not to be skipped, or an unknown label.
    """
    stream: IterableDataset = whole.datasets["train"]
    first = materialized.datasets["train"]
    # the first rows, not a draw, which would have to read the whole stream
    if source.limit.train:
        stream = stream.take(source.limit.train)
    clean = partial(
        _clean,
        features=first.features,
        roles=roles,
        task=task,
        labels=labels,
        skip=source.on_bad_row == "skip",
    )
    # cast first: a chunk whose column is all null would come with another type
    cleaned = stream.cast(first.features).map(
        clean,
        batched=True,
        batch_size=BATCH_ROWS,
        remove_columns=list(first.features),
        features=columns.select_roles(first, roles, "train").features,
    )
    return cleaned.shuffle(seed=seed, buffer_size=source.shuffle_buffer)


def _clean(
    batch: dict[str, list[Any]],
    *,
    features: "Features",
    roles: Columns,
    task: "Task",
    labels: Labels,
    skip: bool,
) -> dict[str, list[Any]]:
    """Name the columns of a batch by role and remove its bad rows, or refuse them."""
    from datasets import Dataset

    rows = columns.select_roles(Dataset.from_dict(batch, features), roles, "train")
    bad = dict(_bad_rows(rows, task, labels))
    if bad and not skip:
        raise DataError(
            f"train, a streamed row: {next(iter(bad.values()))}; "
            "fix or remove it, or leave it out with data.on_bad_row=skip"
        )
    good = rows.select([row for row in range(len(rows)) if row not in bad])
    # an unknown label is refused even where bad rows are skipped: the head has no output for it
    _check_labels(good, labels)
    return good[:]


def _bad_rows(rows: "Dataset", task: "Task", labels: Labels) -> Iterator[tuple[int, str]]:
    if task.target == "label":
        are_numbers = labels.problem_type == REGRESSION
        yield from label_checks.rows_without_label(rows, are_numbers=are_numbers)
    yield from task.corrupt_rows(rows)


def _check_labels(rows: "Dataset", labels: Labels) -> None:
    """Refuse a label that neither the first rows of train nor validation have."""
    if labels.problem_type not in CLOSED:
        return
    try:
        labels.encode(rows["label"][:], "")
    except DataError as error:
        # row numbers within a batch of a stream mean nothing to the user
        reason = str(error).partition(": ")[2]
        raise DataError(f"train, a streamed row: {reason}") from None
