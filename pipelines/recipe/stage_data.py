"""What the stages of a recipe share, without what one of them does not read."""

from typing import Any

from pipelines.core import registry
from pipelines.core.console import say
from pipelines.recipe.document import Document, children

LABEL_KEYS = ("label_names", "limit_per_class", "target")  # of `data:`, for tasks with labels
# by what is predicted: adapting to a target, and evidence beside the scores
LABEL_SECTIONS = ("adaptation", "evaluation")


def drop_unread(stage: Document, layer: Document, tasks: list[Any]) -> None:
    """Drop from what stages share the columns of roles that only the other stages' tasks have.

    A second text is joined to the first for a task that reads one. A note says what was changed.

    Args:
        stage: what all stages share.
        layer: what the stage lays over it.
        tasks: the task of each stage, as its recipe has it.
    """
    task = _task(layer.values.get("task") or stage.values.get("task"))
    if task is None:
        return
    dropped = _drop_labels(stage) if task.target is None else []
    data = children(stage.values.get("data"))
    shared = children(data.get("columns"))
    over = children(children(layer.values.get("data")).get("columns"))
    roles = _roles(task)
    others = set().union(*(_roles(other) for other in map(_task, tasks) if other))
    texts = [shared[role] for role in ("text", "text_pair") if role in shared]
    joined = ""
    if "text_pair" not in roles and "text" in roles and len(texts) == 2 and "text" not in over:
        shared["text"] = [name for each in texts for name in _listed(each)]
        joined = f"; it reads the texts of {' and '.join(map(str, shared['text']))}, joined"
    for role in sorted((others - roles) & {*shared} - {*over}):
        del shared[role]
        dropped.append(f"data.columns.{role}")
    for name, source in children(data.get("sources")).items():
        for role in sorted((others - roles) & {*children(children(source).get("columns"))}):
            del source["columns"][role]
            dropped.append(f"data.sources.{name}.columns.{role}")
    if dropped:
        name = task.__module__.rpartition(".")[2]
        say(f"note: {layer.origin}: {', '.join(dropped)}: not for {name}{joined}")


def drop_test_share(stage: Document) -> None:
    """Cut no test split of its own from the rows of a stage that another one follows.

    Only the last stage is tested; its texts are left out of the others, whose rows would be fewer
    by a share for nothing.
    """
    sources = children(stage.get(("data", "sources")))
    sections = [("data",), *(("data", "sources", name) for name in sources)]
    for key in [(*section, "splits", "test") for section in sections]:
        share = stage.get(key)
        if isinstance(share, float):
            stage.put(key, None, stage.place(key))
            say(f"note: {stage.origin}: {'.'.join(key)}: {share:g}: only the last stage is tested")


def _drop_labels(stage: Document) -> list[str]:
    """Drop what needs labels, and name it; of a source that is held out, texts are not read."""
    data, dropped = children(stage.values.get("data")), []
    held_out = data.pop("held_out", None)
    if children(data.get("sources")).pop(held_out, None) is not None:
        dropped.append(f"data.sources.{held_out}")
    dropped += [f"data.{key}" for key in LABEL_KEYS if data.pop(key, None) is not None]
    return dropped + [key for key in LABEL_SECTIONS if stage.values.pop(key, None) is not None]


def _task(value: Any) -> Any:
    """Return the class of a task; None where there is no such task, which is refused later."""
    name = value.get("name") if isinstance(value, dict) else value
    return registry.find("tasks", name) if name in registry.names("tasks") else None


def _roles(task: Any) -> set[str]:
    return {role.rstrip("?+") for role in task.roles}


def _listed(names: Any) -> list[Any]:
    return names if isinstance(names, list) else [names]
