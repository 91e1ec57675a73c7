"""Rows to predict: the inputs of a task by role, beside all columns as they were read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest
from pipelines.core.labels import IGNORED
from pipelines.core.upstream import dataset_fingerprint
from pipelines.data import columns, input_columns, media_columns
from pipelines.data.columns import Columns
from pipelines.data.dataset import Note
from pipelines.data.spelled_texts import as_spelled

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Inputs:
    """Rows to predict.

    Attributes:
        table: the rows with all their columns.
        examples: the same rows, with columns named by role.
    """

    table: "Dataset"
    examples: "Dataset"

    def __len__(self) -> int:
        return len(self.table)


def load(
    source: "Source",
    split: str | None,
    task: "Task",
    trained: Columns,
    note: Note,
    *,
    spelled: bool = False,
) -> Inputs:
    """Load a split of a source.

    Args:
        split: its name; None where there is only one.
        trained: role -> column in the data that the model was trained on; empty if not known.
        note: is called with what was inferred.
        spelled: read all columns of text files as texts, just as the files spell them.

    Raises:
        DataError: there is no such split, no row in it, or no column for an input.
    """
    available = source.load()
    for text in getattr(available, "notes", ()):
        note(text)
    name = _choose(available, split)
    title = title_of(source, available, name)
    if not len(available[name]):
        raise DataError(f"{title}: there are no rows to predict")
    read_again = getattr(available, "spelled", None)
    if spelled and read_again:
        available = read_again(available[name].column_names)
    unreadable = getattr(available, "unreadable", {})
    roles = input_columns.assign(available[name], task, trained, source.columns)
    columns.check_readable(available[name], roles, unreadable, skip=False)
    dataset = as_spelled({name: available[name]}, {name: name}, available, roles, note)[name]
    return named(dataset, task, roles, source.folder, note, title)


def named(
    dataset: "Dataset",
    task: "Task",
    roles: Columns,
    folder: Path | None,
    note: Note,
    split: str = "input",
) -> Inputs:
    """Select the columns of each role; texts of a task that reads words are split.

    Args:
        folder: what paths are relative to; None where there are no files.

    Raises:
        DataError: a column holds something else.
    """
    if not len(dataset):
        raise DataError(f"{split}: there are no rows to predict")
    if described := columns.describe({r: c for r, c in roles.items() if c != r}, task.roles):
        note(described)
    examples = columns.select_roles(dataset, roles, split)
    if task.modality in media_columns.KINDS:
        examples = media_columns.read(examples, task.modality, folder, split, note)
    return Inputs(dataset, _split_texts(examples, note))


def with_blank_targets(examples: "Dataset", task: "Task") -> "Dataset":
    """Add what stands for targets that are not known, since encoding reads them."""
    if task.target == "answers":
        return examples.add_column("answers", [None] * len(examples))
    if "tokens" in examples.column_names:  # a label for each word
        return examples.add_column("label", examples["tokens"][:])
    if task.target != "label":
        return examples
    return examples.add_column("label", [IGNORED] * len(examples))


def _choose(available: "Mapping[str, Dataset]", split: str | None) -> str:
    """Return the name of the split to predict."""
    if split is None and len(available) == 1:
        return next(iter(available))
    if split is None:
        raise DataError(
            f"the data have {len(available)} splits: {', '.join(available)}; name the one to "
            "predict: --split NAME"
        )
    if split not in available:
        raise DataError(f"--split {split}: no such split; {suggest(split, available)}")
    return split


def title_of(source: "Source", available: "Mapping[str, Dataset]", split: str) -> str:
    """Name a split for messages; the only one of a path is known to the user by the path."""
    path = getattr(source, "path", None)
    is_path = source.source == "files" and path and len(available) == 1
    return Path(str(path)).name if is_path else split


def _split_texts(examples: "Dataset", note: Note) -> "Dataset":
    """Split texts at white space, where a task reads words."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from datasets import Dataset
    from datasets.fingerprint import Hasher

    feature = examples.features.get("tokens")
    if getattr(feature, "dtype", None) not in ("string", "large_string"):
        return examples
    note("texts are split into words at white space")
    column = pc.utf8_trim_whitespace(examples.with_format("arrow")[:]["tokens"].cast(pa.string()))
    # a text without words would be one word without letters
    words = pc.utf8_split_whitespace(pc.if_else(pc.equal(column, ""), None, column))
    key = Hasher.hash([dataset_fingerprint(examples), "words"])
    return Dataset(pa.table({"tokens": words}), fingerprint=key)
