"""The task that the columns of a data set are made for, and the column of each of its roles."""

from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.errors import DataError
from pipelines.data import columns, table_sketch

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks import Task

# the first one whose columns are there; what has columns of any name comes last
TASKS = (
    "image_classification",
    "speech_recognition",
    "audio_classification",
    "question_answering",
    "multiple_choice",
    "token_classification",
    "text_classification",
    "causal_lm",
)


def choose(train: "Dataset", names: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Choose the first task whose columns are there, and a column for each of its roles.

    Raises:
        DataError: there is none; of a single task, says what it misses.
    """
    available = train.column_names
    for name in names:
        task = registry.find("tasks", name)
        roles = _roles(train, task)
        if roles:
            return name, roles
        if len(names) == 1:
            columns.assign(available, task.roles, {})  # says what is missing
    shown = ", ".join(f"{name} ({_kind(train, name)})" for name in available)
    raise DataError(f"no task is obvious from the columns {shown}; name one: --task NAME")


def _roles(train: "Dataset", task: type["Task"]) -> dict[str, Any] | None:
    """Assign columns to the roles of a task: by their usual names, else by what they hold."""
    try:
        roles, _ = columns.assign(train.column_names, task.roles, {})
    except DataError:
        roles = {}
    wanted = {role.rstrip("?+") for role in task.roles if not role.endswith("?")}
    if not roles and {"text"} <= wanted <= {"text", "label"}:
        roles = {**table_sketch.text_and_label(train)}
    if wanted - set(roles) or any(not _fits(train, role, roles[role]) for role in roles):
        return None
    return roles


def _fits(train: "Dataset", role: str, column: Any) -> bool:
    """Return whether a column holds what a role needs, where only its name was looked at."""
    if not isinstance(column, str):
        return True
    kind = _kind(train, column)
    if role in ("text", "text_pair", "question", "context"):
        return "string" in kind and not kind.startswith(("List", "{"))
    if role in ("tokens", "choices"):
        return kind.startswith("List")
    if role == "answers":  # of BoolQ it is yes or no
        return kind not in ("bool", "int64")
    return True


def _kind(train: "Dataset", column: str) -> str:
    feature = train.features[column]
    return str(getattr(feature, "dtype", None) or type(feature).__name__)
