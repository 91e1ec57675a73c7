"""Whether a checkpoint suits a task: a head for it, and weights of the right architecture."""

from typing import TYPE_CHECKING, Any

from pipelines.core import registry
from pipelines.core.errors import ModelError
from pipelines.core.hub_client import first_line
from pipelines.core.upstream import has_auto_model

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.models.section import Model
    from pipelines.tasks import Task


def check_head(config: "PretrainedConfig", section: "Model", task: "Task") -> None:
    """Refuse a checkpoint whose architecture has no head for the task.

    Raises:
        ModelError: there is none; names the tasks that there are heads for.
    """
    # code of the checkpoint's own registers no class with transformers: only loading shows
    if section.trust_remote_code or has_auto_model(config, task.auto_class):
        return
    suitable = ", ".join(other.name for other in suitable_tasks(config))
    raise ModelError(
        f"{section.checkpoint}: a '{config.model_type}' checkpoint has no {task.auto_class}, "
        f"which task {task.name} needs; it fits: {suitable or 'none of the tasks'}"
    )


def suitable_tasks(config: "PretrainedConfig") -> list["Task"]:
    """List the tasks that an architecture has a head for, those of whole examples first."""
    tasks = [task() for task in registry.find_all("tasks").values()]
    suitable = [task for task in tasks if has_auto_model(config, task.auto_class)]
    return sorted(suitable, key=lambda task: task.prediction_unit != "example")


def check_weights(model: "PreTrainedModel", missing: list[str], section: "Model") -> None:
    """Refuse weights that leave most of the encoder random: they belong to something else.

    Args:
        missing: names of the parameters that the checkpoint did not hold.

    Raises:
        ModelError: more than half of the encoder's tensors are missing.
    """
    from pipelines.models.anatomy import dissect, inside

    # half: a new pooler or a resized embedding is no reason to refuse
    root = dissect(model).encoder
    encoder = [name for name, _ in model.named_parameters() if inside(name, [root])]
    random = set(encoder) & set(missing)
    if len(random) > len(encoder) / 2:
        kind = type(model.get_submodule(root)).__name__
        raise ModelError(
            f"{section.checkpoint}: holds {len(encoder) - len(random)} of the {len(encoder)} "
            f"tensors of {kind} ({min(random)} is missing, for example): these weights belong to "
            "another architecture; for random weights on purpose use strategy=scratch"
        )


def check_spectrograms(model: "PreTrainedModel", processor: Any, section: "Model") -> None:
    """Refuse a feature extractor whose spectrograms the model cannot take, by a second of silence.

    Raises:
        ModelError: they have another shape; names it and the model's reason.
    """
    import numpy as np
    import torch

    extractor = getattr(processor, "feature_extractor", processor)
    name = extractor.model_input_names[0]
    rate = extractor.sampling_rate
    values = extractor(np.zeros(rate, np.float32), sampling_rate=rate, return_tensors="pt")[name]
    if values.ndim <= 2:  # samples, of which any number will do
        return
    try:
        with torch.no_grad():
            model.eval()(**{name: values.to(model.device, model.dtype)})
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        shape = " x ".join(map(str, values.shape[1:]))
        raise ModelError(
            f"{section.checkpoint}: its {type(extractor).__name__} makes spectrograms of {shape}, "
            f"which {type(model).__name__} cannot take ({first_line(error)}): "
            "preprocessor_config.json and config.json do not belong together"
        ) from error


def check_vocabulary(model: "PreTrainedModel", processor: Any, section: "Model") -> None:
    """Refuse a tokenizer with more words than the model has rows for.

    Raises:
        ModelError: there are too few rows; names both numbers.
    """
    from transformers import PreTrainedTokenizerBase

    if not isinstance(processor, PreTrainedTokenizerBase):
        return
    # of a model that reads sounds or pixels, the tokenizer is for what it writes
    table = model.get_input_embeddings() if model.main_input_name == "input_ids" else None
    num_rows = getattr(table, "num_embeddings", None)
    if num_rows is not None and num_rows < len(processor):
        because = " (model.config.vocab_size)" if "vocab_size" in section.config else ""
        raise ModelError(
            f"{section.checkpoint}: its tokenizer knows {len(processor):,} words, and the model "
            f"has rows for {num_rows:,}{because}: they do not belong together"
        )
