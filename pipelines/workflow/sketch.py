"""`graft init`: look at data, and write a recipe for them that runs.

1. source_of    PATH                      -> the `data:` section that reads it
2. task_choice  columns of train          -> task, and the column of each role
3. data.load    Source, Task              -> checked splits and labels
4. shortlist    task, language, machine   -> a checkpoint, and others to try
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import data
from pipelines.core import hardware, registry, startup
from pipelines.core.errors import DataError, ModelError, listed
from pipelines.data import columns, splits, table_sketch, unused_texts
from pipelines.models import short_names, shortlist
from pipelines.recipe import Recipe
from pipelines.workflow import task_choice

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data import Data
    from pipelines.tasks import Task

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
WORD = re.compile(r"[\w-]+")
PLAIN = re.compile(r"[A-Za-z_./][\w./ -]*")  # words that need no quotes in YAML
MAX_NAMES = 5  # of classes, in a comment
MAX_OTHERS = 2  # checkpoints beside the chosen one
NUM_TEXTS = 500  # that the language is judged by


@dataclass(frozen=True)
class Sketch:
    """What a recipe for some data holds.

    Attributes:
        recipe: checked, and its data loaded once.
        columns: role -> column.
        unused: the other columns.
        candidates: checkpoints to choose from, the best first; empty where the user named one.
    """

    recipe: Recipe
    data: "Data"
    columns: dict[str, Any]
    unused: tuple[str, ...]
    candidates: tuple[shortlist.Candidate, ...]

    def lines(self, folder: Path) -> Iterator[str]:
        """Write the recipe as YAML with comments, for a file in `folder`."""
        recipe, labels = self.recipe, self.data.labels
        sizes = ", ".join(f"{split} {len(rows):,}" for split, rows in self.data.splits.items())
        yield f"# {recipe.task.name} on {Path(_path(recipe)).name}; examples: {sizes}"
        yield f"task: {recipe.task.name}"
        yield from self._model()
        yield "data:"
        source = recipe.data.source
        yield f"  source: {source}"
        yield f"  path: {_scalar(_path(recipe) if source == 'hub' else _relative(recipe, folder))}"
        shown = ", ".join(f"{role}: {_value(column)}" for role, column in self.columns.items())
        yield f"  columns: {{{shown}}}"
        given = recipe.data.model_dump(mode="json", exclude_unset=True)
        for key in given.keys() - {"source", "path", "columns"}:
            yield f"  {key}: {json.dumps(given[key], ensure_ascii=False)}"
        if self.unused:
            yield f"  # not used: {listed(self.unused)}"
        if labels.names:
            more = ", …" * (len(labels.names) > MAX_NAMES)
            names = ", ".join(map(str, labels.names[:MAX_NAMES]))
            yield f"# {labels.problem_type}: {labels.num_labels} classes: {names}{more}"
        yield "# strategy: auto  # the default; or full, lora, linear_probe…: `graft list`"
        yield "# training: {num_train_epochs: 3}  # the strategy's own settings if left out"
        metrics = ", ".join(recipe.task.metrics(labels))
        yield f"# metrics: [{metrics}]  # the task's own; the first one chooses the checkpoint"

    def _model(self) -> Iterator[str]:
        checkpoint = self.recipe.model.checkpoint
        first = next(iter(self.candidates), None)
        note = f"  # {first.millions} M weights; {first.reason}" if first else ""
        yield f"model: {_scalar(checkpoint)}{note}"
        for other in self.candidates[1 : 1 + MAX_OTHERS]:
            yield f"#   or {other.checkpoint}: {other.millions} M weights; {other.reason}"


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
        ModelError: `model` is no id and no folder.
        RecipeError: no such task, or an override that no data have.
        HubError: the Hub is needed and cannot be reached.
    """
    if model:
        _check_model(model)
    startup.initialize({})
    # the task and the model of this recipe are not looked at: it only checks the data's keys
    stand_in = {"task": "text_classification", "model": "owner/name", "data": source_of(path)}
    source = Recipe.from_dict(stand_in, list(overrides)).data
    train = splits.assign(source.load(), source.splits).datasets["train"]
    names = (task,) if task else task_choice.TASKS
    name, roles = task_choice.choose(train, names, source.columns)
    chosen: Task = registry.find("tasks", name)()
    _check_texts(train, chosen, roles, source.columns)
    texts = [train[column] for role in _texts(chosen, roles) for column in _names(roles[role])]
    candidates = shortlist.choose(
        name,
        is_english=table_sketch.is_english(
            [text for column in texts for text in column[:NUM_TEXTS]]
        ),
        on_cpu=hardware.trains_on_cpu({}),
    )
    if not (model or candidates):
        raise DataError(f"{path}: no checkpoint is known here for {name}; name one: --model ID")
    values = {
        "task": name,
        "model": model or candidates[0].checkpoint,
        "data": {**source.model_dump(mode="json", exclude_unset=True), "columns": roles},
    }
    recipe = Recipe.from_dict(values)
    loaded = data.load(recipe.data, recipe.task, recipe.seed)
    used = {name for column in roles.values() for name in _names(column)}
    unused = tuple(name for name in train.column_names if name not in used)
    return Sketch(recipe, loaded, roles, unused, () if model else tuple(candidates))


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


def _path(recipe: Recipe) -> str:
    return str(recipe.data.model_dump()["path"])


def _relative(recipe: Recipe, folder: Path) -> str:
    """Write the path of the data as it is meant from the recipe's folder."""
    relative = Path(os.path.relpath(_path(recipe), folder)).as_posix()
    return relative if relative.startswith("..") else f"./{relative}"


def _value(column: Any) -> str:
    if isinstance(column, str):
        return _scalar(column)
    return f"[{', '.join(map(_scalar, column))}]"


def _scalar(text: str) -> str:
    """Write a text as YAML, quoted where it could be read as something else."""
    is_plain = PLAIN.fullmatch(text) and text == text.strip()
    words = ("null", "true", "false", "yes", "no", "on", "off", "n", "y")
    return text if is_plain and text.lower() not in words else json.dumps(text, ensure_ascii=False)
