"""`training.report_to`: refused at once where a package is missing; a comparison's runs as a group.

Trackers read their settings from the environment, so it is set while a run trains.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.core.errors import RecipeError

# `report_to` -> modules of which one is enough; each is an extra of the same name
MODULES = {
    "mlflow": ("mlflow",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}
TENSORBOARD_FOLDER, WANDB_GROUP, MLFLOW_TAGS = (
    "TENSORBOARD_LOGGING_DIR",
    "WANDB_RUN_GROUP",
    "MLFLOW_TAGS",
)
COMPARISON_TAG = "graft.comparison"


def names(training: Mapping[str, Any]) -> list[str]:
    """List the trackers of a recipe's `training:`."""
    value = training.get("report_to")
    listed = [value] if isinstance(value, str) else value or []
    return [name for name in listed if name != "none"]


def check(training: Mapping[str, Any]) -> None:
    """Refuse a tracker that is not installed; nothing is imported.

    Raises:
        RecipeError: names it, and what installs it.
    """
    for name in names(training):
        modules = MODULES.get(name, ())
        if modules and not any(importlib.util.find_spec(module) for module in modules):
            raise RecipeError(
                f"training.report_to: '{name}': its package is not installed "
                f"(pip install 'graft-finetune[{name}]', or report_to=none)"
            )


@contextmanager
def recording(training: Mapping[str, Any], folder: Path) -> Iterator[None]:
    """Keep what TensorBoard reads in the run's folder: the Trainer's own goes when a run is done.

    A run of wandb ends with the block, or the next training of the process would go on in it.
    """
    tracked = names(training)
    wandb = sys.modules.get("wandb")
    is_active = wandb is not None and wandb.run is not None  # the user's own
    with _environment({TENSORBOARD_FOLDER: str(folder / "tensorboard")} if tracked else {}):
        try:
            yield
        finally:
            wandb = sys.modules.get("wandb")
            if tracked and wandb is not None and wandb.run is not None and not is_active:
                wandb.finish()


@contextmanager
def grouping(training: Mapping[str, Any], group: str) -> Iterator[None]:
    """Group what is tracked in the block: wandb by its group, MLflow by a tag."""
    tags = json.dumps({COMPARISON_TAG: group})
    with _environment({WANDB_GROUP: group, MLFLOW_TAGS: tags} if names(training) else {}):
        yield


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set variables; those that the user has set stay as they are."""
    missing = {name: text for name, text in settings.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
