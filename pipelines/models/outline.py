"""What a checkpoint's config tells before any weight is fetched."""

from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError
from pipelines.core.upstream import auto_model_names
from pipelines.models import trusted_code
from pipelines.models.explanation import explained
from pipelines.models.library_warnings import silence_transformers
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
        check_head(config_of(section), section, task)


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
        config = config_of(section)
        timm_config.complete(config)
        chosen = task or next(iter(suitable_tasks(config)), None)
        if chosen is None:
            raise ModelError(
                f"{section.checkpoint}: '{config.model_type}' has no head for any task"
            )
        check_head(config, section, chosen)
        trust = {"trust_remote_code": section.trust_remote_code}  # or it would ask a question
        with torch.device("meta"):
            return getattr(transformers, chosen.auto_class).from_config(config, **trust), chosen


def trained_task(config: "PretrainedConfig", section: "Model") -> "Task":
    """Choose the task whose head a checkpoint holds, by the class that its config names.

    Raises:
        ModelError: it is of no task.
    """
    named = config.architectures or []
    suitable = suitable_tasks(config)
    # timm's checkpoints name no class of transformers, and have one head
    trained = [task for task in suitable if {*named} & auto_model_names(config, task.auto_class)]
    if not trained and not (len(suitable) == 1 and not named):
        shown = ", ".join(task.name for task in suitable)
        raise ModelError(
            f"{section.checkpoint}: {', '.join(named) or 'its config'} names no head that was "
            f"trained for a task; train one first: its architecture fits {shown or 'no task'}"
        )
    return (trained or suitable)[0]


def config_of(section: "Model", revision: str | None = None) -> "PretrainedConfig":
    """Load the config of a checkpoint.

    Args:
        revision: the commit; None for the one that the section means.
    """
    from transformers import AutoConfig

    revision = revision or resolve_commit(section) or section.revision
    trusted_code.check(section, revision)
    # None would ask whether to run code of the checkpoint's own
    trust = {"trust_remote_code": section.trust_remote_code}
    return AutoConfig.from_pretrained(section.checkpoint, revision=revision, **trust)
