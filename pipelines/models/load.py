"""A checkpoint's id -> the model with a head for the task, its processor, and what is new in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import hub_client as remote
from pipelines.core import registry
from pipelines.core.errors import HubError, ModelError
from pipelines.core.labels import Labels
from pipelines.core.upstream import has_auto_model
from pipelines.models import quantization
from pipelines.models.timm_weights import draw_weights
from pipelines.tasks.image import timm_config

INSTEAD = "for a copy on disk use model.checkpoint=FOLDER"

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.models.section import Model
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, ready to be trained on a task.

    Attributes:
        fresh: names of the parameters that the checkpoint did not hold: the new head.
        commit: the Hub commit that it came from; None for a folder.
    """

    model: "PreTrainedModel"
    processor: Any
    newly_initialized: tuple[str, ...]
    commit: str | None


def load(section: "Model", task: "Task", labels: Labels, *, pretrained: bool = True) -> Checkpoint:
    """Load `section.checkpoint` with a new head for `labels`; random weights unless `pretrained`.

    Weights are float32: mixed precision is the Trainer's business (`training.bf16`).

    Raises:
        ModelError: no checkpoint, not one for this task's modality, or no safetensors in it.
        HubError: the Hub cannot be reached or refuses.
    """
    import transformers

    auto = getattr(transformers, task.auto_class)
    with _explained(section, task), silence_transformers():
        commit = _commit(section)
        options = {
            "revision": commit or section.revision,
            "trust_remote_code": section.trust_remote_code,
        }
        config = transformers.AutoConfig.from_pretrained(section.checkpoint, **options)
        _fits(config, section, task)
        config = _configured(config, {**section.config, **labels.config})
        timm_config.complete(config)
        processor = task.load_processor(section.checkpoint, labels, **options)
        task.configure(config, processor, labels)
        build = {**options, **_build(section, auto, config)}
        make = _pretrained if pretrained else _drawn
        model, newly_initialized = make(auto, config, section, build)
    return Checkpoint(model, processor, tuple(sorted(newly_initialized)), commit)


def _build(section: "Model", auto: Any, config: Any) -> dict[str, Any]:
    import torch

    build: dict[str, Any] = {"dtype": torch.float32}
    build["attn_implementation"] = section.attn_implementation
    if section.quantization:
        build["quantization_config"] = quantization.settings(section.quantization, auto, config)
    return build


def _pretrained(
    auto: Any, config: Any, section: "Model", build: dict[str, Any]
) -> tuple[Any, list[str]]:
    """The checkpoint's weights, and the names of those that it does not hold."""
    model, told = auto.from_pretrained(
        section.checkpoint,
        config=config,
        use_safetensors=section.use_safetensors or None,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **build,
    )
    newly_initialized = [*told["missing_keys"], *(key for key, *_ in told["mismatched_keys"])]
    _brings_weights(model, newly_initialized, section)
    quantization.disable_avx512_packing(model)
    return model, newly_initialized


def _drawn(
    auto: Any, config: Any, section: "Model", build: dict[str, Any]
) -> tuple[Any, list[str]]:
    """Random weights, all of which are new."""
    said = {key: value for key, value in build.items() if key != "revision"}
    model = auto.from_config(config, **said)
    draw_weights(model)
    return model, [name for name, _ in model.named_parameters()]


def outline(section: "Model", task: "Task | None" = None) -> tuple["PreTrainedModel", "Task"]:
    """The model as its config describes it: no weights are fetched, and it takes no memory.

    Without a task it is the first that the architecture has a head for, and the one given back.

    Raises:
        ModelError: no checkpoint, or not one for this task.
        HubError: the Hub cannot be reached or refuses.
    """
    import torch
    import transformers

    with _explained(section, task), silence_transformers():
        revision = _commit(section) or section.revision
        config = transformers.AutoConfig.from_pretrained(section.checkpoint, revision=revision)
        timm_config.complete(config)
        chosen = task or next(iter(_fitting(config)), None)
        if chosen is None:
            raise ModelError(f"{section.checkpoint}: '{config.model_type}' fits no task of ours")
        _fits(config, section, chosen)
        with torch.device("meta"):
            return getattr(transformers, chosen.auto_class).from_config(config), chosen


def _commit(section: "Model") -> str | None:
    """The commit that the revision of a Hub id means; of a folder, or offline, None.

    Raises:
        ModelError: a path that does not exist.
        HubError: the Hub cannot be reached or refuses.
    """
    path = Path(section.checkpoint)
    if path.is_dir():
        return None
    if path.exists() or section.checkpoint.startswith((".", "/", "~")):
        raise ModelError(f"{path}: no such folder; expected a Hub id or a folder with config.json")
    if remote.is_offline():
        return _cached_commit(section)
    return remote.commit("model", section.checkpoint, section.revision, INSTEAD)


def _cached_commit(section: "Model") -> str | None:
    """The commit of the copy in the local cache."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(section.checkpoint, "config.json", revision=section.revision)
    return Path(cached).parent.name if isinstance(cached, str) else None


def _configured(config: "PretrainedConfig", fields: dict[str, Any]) -> "PretrainedConfig":
    from huggingface_hub.errors import StrictDataclassError

    for name, value in fields.items():
        try:
            setattr(config, name, value)
        except StrictDataclassError as error:
            raise ModelError(f"model.config.{name}: {value!r}: {error.__cause__}") from error
    return config


def _fits(config: "PretrainedConfig", section: "Model", task: "Task") -> None:
    """Refuse a checkpoint whose architecture has no head for the task."""
    if section.trust_remote_code or _has_head(config, task):
        return
    fitting = ", ".join(other.name for other in _fitting(config))
    raise ModelError(
        f"{section.checkpoint}: a '{config.model_type}' checkpoint has no {task.auto_class}, "
        f"which task {task.name} needs; it fits: {fitting or 'no task of ours'}"
    )


def _has_head(config: "PretrainedConfig", task: "Task") -> bool:
    return has_auto_model(config, task.auto_class)


def _fitting(config: "PretrainedConfig") -> list["Task"]:
    """The tasks that an architecture has a head for; first those with one answer an example."""
    tasks = [registry.find("tasks", name)() for name in registry.names("tasks")]
    fitting = [task for task in tasks if _has_head(config, task)]
    return sorted(fitting, key=lambda task: task.prediction_unit != "example")


def _brings_weights(
    model: "PreTrainedModel", newly_initialized: list[str], section: "Model"
) -> None:
    """Refuse weights that leave most of the encoder random: they belong to something else."""
    from pipelines.models.anatomy import dissect, inside

    root = dissect(model).encoder
    encoder = [name for name, _ in model.named_parameters() if inside(name, [root])]
    missing = set(encoder) & set(newly_initialized)
    if len(missing) > len(encoder) / 2:
        kind = type(model.get_submodule(root)).__name__
        raise ModelError(
            f"{section.checkpoint}: holds {len(encoder) - len(missing)} of the {len(encoder)} "
            f"tensors of {kind}, not {min(missing)}, say: these weights belong to another "
            "architecture; for random weights on purpose use strategy=scratch"
        )


@contextmanager
def _explained(section: "Model", task: "Task | None") -> Iterator[None]:
    """Turn what transformers and the Hub's client raise into one clear message."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, SafetensorError) as error:
        raise _explanation(section, task, error) from error


def _explanation(section: "Model", task: "Task | None", error: Exception) -> ModelError | HubError:
    name, purpose = section.checkpoint, f" for {task.name}" if task else ""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    told = remote.explanation("model", name, section.revision, INSTEAD, cause)
    if told:
        return HubError(f"{name}: {told}")
    return ModelError(f"{name}: not a checkpoint{purpose}: {remote.first_line(error)}")


@contextmanager
def silence_transformers() -> Iterator[None]:
    """A new head is what we ask for: transformers need not report it as missing weights."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
