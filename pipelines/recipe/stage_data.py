"""What the stages of a recipe share under `data:`, without what only some of their tasks read."""

from typing import Any

from pipelines.core import registry
from pipelines.recipe.document import Document, children

LABEL_KEYS = ("label_names", "limit_per_class", "target")  # of `data:`, for tasks with labels


def drop_unread(stage: Document, layer: Document, tasks: list[Any]) -> None:
    """Drop from what stages share the columns of roles that only the other stages' tasks have.

    A second text is joined to the first for a task that reads one.

    Args:
        stage: what all stages share.
        layer: what the stage lays over it.
        tasks: the task of each stage, as its recipe has it.
    """
    task = _task(layer.values.get("task") or stage.values.get("task"))
    data, over = children(stage.values.get("data")), children(layer.values.get("data"))
    if task is None:
        return
    if task.target is None:
        for key in LABEL_KEYS:
            data.pop(key, None)
        stage.values.pop("adaptation", None)  # to a target, which tells classes apart
    shared = children(data.get("columns"))
    roles = _roles(task)
    others = set().union(*(_roles(other) for other in map(_task, tasks) if other))
    texts = [shared[role] for role in ("text", "text_pair") if role in shared]
    if "text_pair" not in roles and "text" in roles and len(texts) == 2:
        shared["text"] = [name for each in texts for name in _listed(each)]
    for role in (others - roles) & {*shared}:
        if role not in children(over.get("columns")):
            del shared[role]


def _task(value: Any) -> Any:
    """Return the class of a task; None where there is no such task, which is refused later."""
    name = value.get("name") if isinstance(value, dict) else value
    return registry.find("tasks", name) if name in registry.names("tasks") else None


def _roles(task: Any) -> set[str]:
    return {role.rstrip("?+") for role in task.roles}


def _listed(names: Any) -> list[Any]:
    return names if isinstance(names, list) else [names]
