"""What the card of a run in stages says of the stages before the last one."""

from typing import Any

from pipelines.core.errors import RunError
from pipelines.report import requested, strict_json
from pipelines.report.lock import pin
from pipelines.report.privacy import without_paths
from pipelines.report.run_folder import RunFolder

REMEDY = "run the recipe again"


def origin(folder: RunFolder, lock: dict[str, Any]) -> dict[str, Any]:
    """Return the lock with the checkpoint that the first stage started from.

    Raises:
        RunError: the lock of a stage is missing or damaged.
    """
    before = folder.stages_before
    return {**lock, "model": _read(before[0].lock)["model"]} if before else lock


def sentence(folder: RunFolder) -> str:
    """Say what the model was trained on before; empty without stages.

    Raises:
        RunError: a file of a stage is missing or damaged.
    """
    stages = [_describe(stage) for stage in folder.stages_before]
    return f"Before that it was trained for {', then for '.join(stages)}. " if stages else ""


def whole_recipe(folder: RunFolder, values: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of all stages as it is published, with the commits that were used.

    Args:
        values: the recipe of this stage, which is all of it without stages.

    Raises:
        RunError: the file of all stages, or the lock of one, is damaged.
    """
    if not folder.staged_recipe.is_file():
        return values
    # as run.py wrote it: it holds no tokens
    whole = requested.document(folder.staged_recipe, REMEDY).values
    locks = [_read(stage.lock) for stage in (*folder.stages_before, folder)]
    try:
        for stage, lock in zip(whole["stages"], locks, strict=True):
            pin(stage["data"], lock["data"])
        if commit := locks[0]["model"].get("commit"):
            whole["stages"][0]["model"]["revision"] = commit
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RunError(
            f"{folder.staged_recipe}: damaged: not what a run writes; {REMEDY}"
        ) from None
    return without_paths({key: value for key, value in whole.items() if key != "hub"})


def _describe(stage: RunFolder) -> str:
    """Say task, strategy, examples and score of a stage."""
    metrics = _read(stage.metrics)
    metric = metrics["main_metric"]
    return (
        f"**{metrics['task']}** with **{metrics['strategy']}** on "
        f"{metrics['examples']['train']:,} examples ({metric} on validation "
        f"{metrics['validation'][metric]:.4f})"
    )


def _read(path: Any) -> Any:
    return strict_json.read(path, REMEDY)
