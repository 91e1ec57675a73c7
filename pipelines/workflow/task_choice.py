"""The task that the columns of a data set are made for, and the column of each of its roles."""

from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.errors import DataError, listed, suggest
from pipelines.data import columns, media_columns, table_sketch, unused_texts, usual_columns

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
MAX_SHOWN = 40  # characters of a value
MEDIA = {*media_columns.KINDS}


def choose(
    train: "Dataset", names: tuple[str, ...], explicit: columns.Columns
) -> tuple[str, dict[str, Any]]:
    """Choose the first task whose columns are there, and a column for each of its roles.

    Args:
        explicit: role -> column where the user names one.

    Raises:
        DataError: there is none; of a single task, says what it misses.
    """
    available = train.column_names
    tasks = [registry.find("tasks", name) for name in names]
    known = {role.rstrip("?+") for task in tasks for role in task.roles}
    for role in explicit.keys() - known:
        raise DataError(f"data.columns: unknown role '{role}'; {suggest(role, known)}")
    for name in names:
        task = registry.find("tasks", name)
        roles = _roles(train, task, explicit)
        if roles:
            if len(names) > 1:
                _check_no_tags(train, name, roles)
            return name, roles
        if len(names) == 1:
            # says what is missing
            roles, _ = columns.assign(available, task.roles, explicit, task.layouts)
            raise DataError(_lack(train, name, roles))
    raise DataError(
        f"no task is obvious from the columns {_with_kinds(train)}; name one: --task NAME"
    )


def _lack(train: "Dataset", task: str, roles: columns.Columns) -> str:
    """Write what a task misses, although there is a column for each of its roles."""
    unfit = [role for role in roles if not _fits(train, role, roles)]
    shown = listed(f"'{roles[role]}' cannot be the {role}" for role in unfit)
    return (
        f"{task}: {shown or 'its columns are not obvious'}; the columns are {_with_kinds(train)}; "
        f"set data.columns.{(unfit or [*roles])[0]}=…"
    )


def _with_kinds(train: "Dataset") -> str:
    return listed(f"{name} ({_kind_of(feature)})" for name, feature in train.features.items())


def _roles(
    train: "Dataset", task: type["Task"], explicit: columns.Columns
) -> dict[str, Any] | None:
    """Assign columns to the roles of a task: by their usual names, else by what they hold."""
    wanted = {role.rstrip("?+") for role in task.roles if not role.endswith("?")}
    by_role = {role: _media_column(train, role, task.roles[role]) for role in wanted & MEDIA}
    media: columns.Columns = {role: column for role, column in by_role.items() if column}
    if len(media) < len(by_role) or explicit.keys() - {role.rstrip("?+") for role in task.roles}:
        return None  # what has the name of an image need not be one
    try:
        explicit = media | explicit
        roles, _ = columns.assign(train.column_names, task.roles, explicit, task.layouts)
    except DataError:
        roles = _by_content(train, wanted, explicit)
    if wanted - set(roles) or any(not _fits(train, role, roles) for role in roles):
        return None
    if wanted == {"audio", "text"} and str(roles["text"]).lower() not in task.roles["text"]:
        # what repeats is a class: transcripts of few words are so by their name alone
        is_class = roles["text"] == table_sketch.label(train, [str(roles["audio"])])
        return None if is_class else roles
    return _with_pair(train, task, roles) if "label" in wanted else roles


def _check_no_tags(train: "Dataset", task: str, roles: columns.Columns) -> None:
    """Refuse to make classes or a text of what are tags of words.

    Raises:
        DataError: a column holds tags, and the task is none of words.
    """
    tagged, value = table_sketch.tags(train, usual_columns.names_in(roles))
    if tagged and task != "token_classification":
        raise DataError(
            f"column '{tagged}' holds tags of words ({value[:MAX_SHOWN]!r}), which {task} would "
            "read as they are written; task=token_classification needs words and tags in lists, "
            'such as a line {"tokens": ["Ada", "sings"], "tags": ["B-PER", "O"]} of a .jsonl, a '
            "column `sentence_id` beside a word and its tag, or a .conll; if they are classes all "
            f"the same: --task {task}"
        )


def _with_pair(train: "Dataset", task: type["Task"], roles: dict[str, Any]) -> dict[str, Any]:
    """Use the only other column of texts, too: a question, say, beside its passage."""
    others = [*unused_texts.find(train, roles)] if "text_pair?" in task.roles else []
    if "text_pair" in roles or len(others) != 1 or not isinstance(roles["text"], str):
        return roles
    both = sorted((roles["text"], others[0]), key=train.column_names.index)
    return {**roles, "text": both[0], "text_pair": both[1]}


def _media_column(train: "Dataset", role: str, usual: tuple[str, ...]) -> str | None:
    """Find the column of images or sounds; of several the one with a usual name."""
    names = media_columns.columns_of(train, role)
    return next((name for name in usual if name in names), names[0] if names else None)


def _by_content(train: "Dataset", wanted: set[str], given: columns.Columns) -> columns.Columns:
    """Find a text and a label by what columns hold; lists and answers have names of their own."""
    roles: dict[str, Any] = {**given}
    if "text" not in given and "text" in wanted <= {"text", "label"}:
        roles["text"] = table_sketch.text(train)
    if "label" not in given and "label" in wanted <= {"text", "label", *MEDIA}:
        taken = {column for column in roles.values() if isinstance(column, str)}
        roles["label"] = table_sketch.indicators(train, taken) or table_sketch.label(train, taken)
    return {role: column for role, column in roles.items() if column}


def _fits(train: "Dataset", role: str, roles: columns.Columns) -> bool:
    """Return whether a column holds what a role needs, where only its name was looked at."""
    column = roles[role]
    if not isinstance(column, str):
        return True
    kind = _kind(train, column)
    if role in ("text", "text_pair", "question", "context"):
        return "string" in kind and not kind.startswith(("List", "{"))
    if role == "tokens" and "sentence" in roles:  # a word in each row
        return True
    if role == "tokens":
        return kind.startswith("List")
    if role == "choices":  # of ARC they are a struct of two lists
        return kind.startswith(("List", "dict"))
    if role == "answers":  # of BoolQ it is yes or no
        return kind not in ("bool", "int64")
    return True


def _kind(train: "Dataset", column: str) -> str:
    return _kind_of(train.features[column])


def _kind_of(feature: Any) -> str:
    return str(getattr(feature, "dtype", None) or type(feature).__name__)
