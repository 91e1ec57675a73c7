"""`graft init`: look at data, and choose what a recipe for them needs.

1. source_of    PATH                      -> the `data:` section that reads it
2. task_choice  columns of train          -> task, and the column of each role
3. shortlist    task, language, machine   -> a checkpoint, and others to try
4. data.load    Source, Task              -> checked splits and labels
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import data
from pipelines.core import hardware, registry, startup
from pipelines.core.errors import DataError, ModelError
from pipelines.data import columns, group_column, splits, table_sketch, unused_texts
from pipelines.models import outline, short_names, shortlist
from pipelines.recipe import Recipe
from pipelines.recipe.combinations import folds
from pipelines.workflow import task_choice
from pipelines.workflow.sketch import Sketch

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data.sources import Source
    from pipelines.tasks import Task

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
WORD = re.compile(r"[\w-]+")
NUM_TEXTS = 500  # that the language is judged by


def draw(
    path: str,
    overrides: Sequence[str] = (),
    *,
    model: str | None = None,
    task: str | None = None,
) -> Sketch:
    """Look at a file, a folder or a data set of the Hub, and choose what a recipe for it needs.

    Args:
        overrides: of the recipe's `data:`, such as `data.splits.train=learn`.
        model: the checkpoint; chosen if it is None.
        task: its name; chosen by the columns if it is None.

    Raises:
        DataError: there are no such data, or they fit no task.
        ModelError: `model` is no id and no folder, or a folder whose model cannot do the task.
        RecipeError: no such task, or an override that no data have.
        HubError: the Hub is needed and cannot be reached.
    """
    if model:
        _check_model(model)
    startup.initialize({})
    source, train = _source_and_train(path, overrides)
    names = (task,) if task else task_choice.TASKS
    name, roles = task_choice.choose(train, names, source.columns)
    chosen: Task = registry.find("tasks", name)()
    _check_texts(train, chosen, roles, source.columns)
    candidates = () if model else _candidates(path, train, chosen, roles)
    values = {
        "task": name,
        "model": model or candidates[0].checkpoint,
        "data": {**source.model_dump(mode="json", exclude_unset=True), "columns": roles},
    }
    recipe = Recipe.from_dict(values)
    if model and Path(model).expanduser().exists():  # of a Hub id, a run looks
        outline.check_task(recipe.model, recipe.task)
    max_rows = folds.max_rows(recipe)  # what is printed of splits is true of a run
    loaded = data.load(recipe.data, recipe.task, recipe.seed, max_fold_rows=max_rows)
    used = {name for column in roles.values() for name in _names(column)}
    unused = tuple(name for name in train.column_names if name not in {*used, source.group})
    group = "" if source.group else group_column.usual(train, used)
    return Sketch(recipe, loaded, roles, unused, candidates, group)


def source_of(path: str) -> dict[str, str]:
    """Choose the source that reads `path`: what exists is a file, else a Hub id.

    Raises:
        DataError: it is a word that is neither.
    """
    is_id = HUB_ID.fullmatch(path) and not Path(path).parent.is_dir()
    if is_id and not Path(path).exists():
        return {"source": "hub", "path": path}
    if WORD.fullmatch(path) and not Path(path).exists():
        raise DataError(
            f"{path}: no such file or folder; expected one, or OWNER/NAME of a data set on the Hub"
        )
    return {"source": "files", "path": str(Path(path).expanduser().absolute())}


def _source_and_train(path: str, overrides: Sequence[str]) -> "tuple[Source, Dataset]":
    """Load the data as their own names and overrides say.

    Raises:
        DataError: train has no rows.
    """
    # the task and the model of this recipe are not looked at: it only checks the data's keys
    stand_in = {"task": "text_classification", "model": "owner/name", "data": source_of(path)}
    source = Recipe.from_dict(stand_in, list(overrides)).data
    train = splits.assign(source.load(), source.splits).datasets["train"]
    if not len(train):
        raise DataError(f"{path}: train is empty; expected rows to choose a task and columns by")
    return source, train


def _candidates(
    path: str, train: "Dataset", task: "Task", roles: dict[str, Any]
) -> tuple[shortlist.Candidate, ...]:
    """Choose checkpoints by task, language and machine.

    Raises:
        DataError: none is known for the task.
    """
    columns_of_texts = [train[name] for role in _texts(task, roles) for name in _names(roles[role])]
    texts = [text for column in columns_of_texts for text in column[:NUM_TEXTS]]
    is_english, on_cpu = table_sketch.is_english(texts), hardware.trains_on_cpu({})
    candidates = tuple(shortlist.choose(task.name, is_english=is_english, on_cpu=on_cpu))
    if not candidates:
        raise DataError(
            f"{path}: no checkpoint is known here for {task.name}; name one: --model ID"
        )
    return candidates


def _check_model(model: str) -> None:
    """Refuse a short name, and a folder that is not there; whether a Hub id exists, a run finds."""
    short_names.check(model)
    is_path = model.startswith((".", "/", "~")) or not HUB_ID.fullmatch(model)
    if is_path and not Path(model).expanduser().exists():
        raise ModelError(f"{model}: no such folder; expected a Hub id or a folder with config.json")


def _check_texts(
    train: "Dataset", task: "Task", roles: dict[str, Any], given: columns.Columns
) -> None:
    """Refuse to choose among several columns of texts, as a run does."""
    if "text" not in roles or columns.has_inputs(given) or not columns.may_take_more(task.roles):
        return
    try:
        unused_texts.check(unused_texts.find(train, roles), roles)
    except DataError as error:
        raise DataError(f"{error}; here data.columns={{…}}, or --task NAME") from None


def _texts(task: "Task", roles: dict[str, Any]) -> list[str]:
    """Name the roles whose language the checkpoint must know."""
    readable = ("text", "tokens", "question", "context")
    return [role for role in readable if task.modality != "image" and role in roles]


def _names(column: Any) -> list[str]:
    return [column] if isinstance(column, str) else list(column)
