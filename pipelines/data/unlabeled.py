"""Rows of another source without their labels: columns named by role, as the task reads them."""

from typing import TYPE_CHECKING

from pipelines.core.errors import DataError, suggest
from pipelines.data import columns, media_columns
from pipelines.data.dataset import Note
from pipelines.data.split_names import USUAL_NAMES
from pipelines.data.usual_columns import Columns, names_in

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task

SPLITS = ("test", "validation", "train")  # the first that there is, under one of its usual names


def load(
    source: "Source", task: "Task", like: "Dataset", split: str | None, note: Note
) -> "Dataset":
    """Load the inputs of a split of another source.

    Args:
        like: rows whose inputs the other source has to have, too.
        split: its name in the source; None for test, or what stands for it.

    Raises:
        DataError: there is no such split, or a column is missing.
    """
    chosen, dataset = choose_split(source, split)
    return select_inputs(dataset, chosen, source, task, like, source.columns, note)


def choose_split(source: "Source", split: str | None) -> tuple[str, "Dataset"]:
    """Load a source and choose one of its splits: (its name, its rows).

    Raises:
        DataError: there is no such split.
    """
    available = source.load()
    usual = [name for kind in SPLITS for name in USUAL_NAMES[kind] if name in available]
    chosen = split or next(iter([*usual, *available]))
    if chosen not in available:
        raise DataError(f"no split '{chosen}'; {suggest(chosen, available)}")
    return chosen, available[chosen]


def select_inputs(
    dataset: "Dataset",
    split: str,
    source: "Source",
    task: "Task",
    like: "Dataset",
    explicit: Columns,
    note: Note,
) -> "Dataset":
    """Name the inputs of rows by their role; labels are left out.

    Args:
        explicit: role -> column, where the recipe names some.

    Raises:
        DataError: a column is missing.
    """
    # whatever is optional in general is required here: the model was trained with it
    usual_columns = {role.rstrip("?+"): names for role, names in task.roles.items()}
    inputs = {*like.column_names} & usual_columns.keys() - {task.target}
    roles = {role: names for role, names in usual_columns.items() if role in inputs}
    layouts = [layout for layout in task.layouts if layout.columns.keys() == roles.keys()]
    # an only other column would be taken for an input, even if it holds labels
    targets = {*usual_columns.get(task.target or "", ())} - {*names_in(explicit)}
    names = [name for name in dataset.column_names if name not in targets]
    assigned, guessed = columns.assign(names, roles, explicit, layouts)
    if described := columns.describe(guessed, roles):
        note(described)
    selected = columns.select_roles(dataset, assigned, split)
    if task.modality in media_columns.KINDS:
        selected = media_columns.read(selected, task.modality, source.folder, split, note)
    return selected
