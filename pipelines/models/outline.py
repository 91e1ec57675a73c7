"""What a checkpoint's config tells before any weight is fetched."""

from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError
from pipelines.models.library_warnings import silence_transformers
from pipelines.models.load import explained
from pipelines.models.revision import resolve_commit
from pipelines.models.suitability import check_head, suitable_tasks
from pipelines.tasks.image import timm_config

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.models.section import Model
    from pipelines.tasks import Task


def check_task(section: "Model", task: "Task") -> None:
    """Refuse a checkpoint that has no head for the task.

    Raises:
        ModelError: it has none, or is no checkpoint.
        HubError: the Hub cannot be reached or refuses.
    """
    with explained(section, task), silence_transformers():
        check_head(_config(section), section, task)


def outline(section: "Model", task: "Task | None" = None) -> tuple["PreTrainedModel", "Task"]:
    """Build the model that a checkpoint's config describes, without fetching or holding weights.

    Without a task it is built for the first that the architecture has a head for.

    Returns:
        The model on device "meta", and its task.

    Raises:
        ModelError: no checkpoint, or not one for this task.
        HubError: the Hub cannot be reached or refuses.
    """
    import torch
    import transformers

    with explained(section, task), silence_transformers():
        config = _config(section)
        timm_config.complete(config)
        chosen = task or next(iter(suitable_tasks(config)), None)
        if chosen is None:
            raise ModelError(
                f"{section.checkpoint}: '{config.model_type}' has no head for any task"
            )
        check_head(config, section, chosen)
        with torch.device("meta"):
            return getattr(transformers, chosen.auto_class).from_config(config), chosen


def _config(section: "Model") -> "PretrainedConfig":
    from transformers import AutoConfig

    revision = resolve_commit(section) or section.revision
    return AutoConfig.from_pretrained(section.checkpoint, revision=revision)
