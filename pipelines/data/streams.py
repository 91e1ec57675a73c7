"""A train split that is read as it flows by: only its first rows are ever in memory.

Those stand for all of it wherever something has to be known before training: columns, labels,
checks, the floor.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import DataError
from pipelines.core.hub_client import first_line
from pipelines.core.labels import CLOSED, Labels
from pipelines.data import columns, label_checks
from pipelines.data.bad_rows import Note
from pipelines.data.columns import Columns
from pipelines.data.splits import Choice

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from pipelines.data.sources import StreamedSource
    from pipelines.tasks import Task

FIRST = 1000  # rows that stand for all of train
BATCH = 1000


def settle(choice: Choice, source: "StreamedSource", note: Note) -> Choice:
    """`choice` with a data set for each part: of train its first rows, of the others all that
    `data.limit` allows.

    Raises:
        DataError: a part is to be set aside from train.
    """
    for part in choice.shares:
        raise DataError(
            f"{part}: nothing can be set aside from a train split that is streamed; "
            f"name a split: data.splits.{part}=…"
        )
    most = {**dict(source.limit), "train": min(FIRST, source.limit.train or FIRST)}
    parts = dict(choice.parts)
    for part, split in choice.parts.items():
        if not hasattr(split, "__len__"):
            parts[part] = take(split, most[part], part)
            if part != "train" and most[part]:
                note(f"{part}: its first {len(parts[part]):,} examples (data.limit.{part})")
    note(
        f"train is streamed: its first {len(parts['train']):,} rows stand for all of it in checks, "
        "class weights and the floor; classes are those of these rows and of validation"
    )
    return replace(choice, parts=parts)


def take(stream: "IterableDataset", most: int | None, part: str) -> "Dataset":
    """The first `most` rows, or all, in memory; nothing is decoded.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    import pyarrow as pa
    from datasets import Dataset

    first = stream.take(most) if most else stream
    try:
        tables = list(first.with_format("arrow").iter(BATCH))
    except Exception as error:  # pandas, pyarrow and the operating system each have their own
        raise DataError(f"{part}: cannot be streamed: {first_line(error)}") from error
    if not tables:
        raise DataError(f"{part}: the split is empty")
    table = pa.concat_tables(tables, promote_options="permissive")
    features = stream.features
    return Dataset(table.cast(features.arrow_schema) if features else table)


def together(first: "Dataset", validation: "Dataset") -> "Dataset":
    """The first rows of train and all of validation, to learn from what there is to predict.

    Raises:
        DataError: their columns are not of the same types.
    """
    from datasets import concatenate_datasets

    try:
        return concatenate_datasets([first, validation])
    except ValueError as error:
        raise DataError(
            f"validation: other types of columns than train's first rows: {error}"
        ) from None


def refuse_unweighable(first: "Dataset", task: "Task", labels: Labels) -> None:
    """Raises DataError if classes are to be balanced by rows that do not have them all."""
    absent = label_checks.classes_without_examples(first, labels)
    if getattr(task, "class_weights", None) and absent:
        raise DataError(
            f"task.class_weights: the first {len(first):,} rows of train, which are all that is "
            f"known of a stream, have no example of '{absent[0]}': shuffle train, or leave it out"
        )


def ready(
    stream: "IterableDataset",
    first: "Dataset",
    roles: Columns,
    source: "StreamedSource",
    task: "Task",
    labels: Labels,
    seed: int,
) -> "IterableDataset":
    """Rows by role, good ones only, shuffled in a buffer; workers and processes share them.

    Args:
        first: the first rows, whose columns and types all others are expected to have.
    """
    skip = source.on_bad_row == "skip"

    def read(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        from datasets import Dataset

        rows = columns.by_role(Dataset.from_dict(batch, first.features), roles, "train")
        bad = dict(_bad(rows, task))
        if bad and not skip:
            raise DataError(
                f"train, a streamed row: {next(iter(bad.values()))}; "
                "mend or drop it, or leave it out with data.on_bad_row=skip"
            )
        good = rows.select([row for row in range(len(rows)) if row not in bad])
        _refuse_unknown(good, labels)
        return good[:]

    if source.limit.train:
        stream = stream.take(source.limit.train)
    features = columns.by_role(first, roles, "train").features
    there = list(first.features)
    read_rows = stream.cast(first.features).map(
        read, batched=True, batch_size=BATCH, remove_columns=there, features=features
    )
    return read_rows.shuffle(seed=seed, buffer_size=source.shuffle_buffer)


def _bad(rows: "Dataset", task: "Task") -> Iterator[tuple[int, str]]:
    if task.target == "label":
        yield from label_checks.missing(rows)
    yield from task.corrupt_rows(rows)


def _refuse_unknown(rows: "Dataset", labels: Labels) -> None:
    """Raises DataError at a label that neither the first rows nor validation have."""
    if labels.problem_type not in CLOSED:
        return
    try:
        labels.encode(rows["label"][:], "")
    except DataError as error:
        told = str(error).partition(": ")[2]
        raise DataError(f"train, a streamed row: {told}") from None
