"""A checkpoint's id -> the model with a head for the task, its processor, and what is new in it."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.core import hub_files
from pipelines.core.errors import ModelError
from pipelines.core.labels import Labels
from pipelines.models import (
    config_fields,
    head,
    image_inputs,
    image_tower,
    quantization,
    trusted_code,
)
from pipelines.models.anatomy.tree import outermost
from pipelines.models.explanation import explained
from pipelines.models.library_warnings import silence_transformers
from pipelines.models.revision import resolve_commit
from pipelines.models.suitability import (
    check_head,
    check_spectrograms,
    check_vocabulary,
    check_weights,
)
from pipelines.models.timm_weights import draw_weights
from pipelines.tasks.image import timm_config

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from pipelines.models.section import Model
    from pipelines.models.text_head import TextHead
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, ready to be trained on a task.

    Attributes:
        newly_initialized: names of the parameters that the checkpoint did not hold: the new head.
        commit: the Hub commit that it came from; None for a folder.
        notes: what was changed to fit task and data, and what became of the head.
        merged_commits: the Hub commits of what was merged into it; None for a folder.
        beside: the checkpoints whose features stand beside those of this one.
        text_head: classes as the text tower of CLIP or SigLIP reads their names; None without one.
    """

    model: "PreTrainedModel"
    processor: Any
    newly_initialized: tuple[str, ...]
    commit: str | None
    notes: tuple[str, ...] = ()
    merged_commits: tuple[str | None, ...] = ()
    text_head: "TextHead | None" = None
    beside: "tuple[Checkpoint, ...]" = ()

    @property
    def new_modules(self) -> tuple[str, ...]:
        """The outermost modules of which parameters are new; "" where all of them are."""
        if len(self.newly_initialized) >= len(list(self.model.parameters())):
            return ("",)
        owners = (name.rpartition(".")[0] for name in self.newly_initialized)
        return outermost(dict.fromkeys(owners))


def load(section: "Model", task: "Task", labels: Labels, *, pretrained: bool = True) -> Checkpoint:
    """Load `section.checkpoint` with a head for `labels`; random weights unless `pretrained`.

    Weights are float32: mixed precision is the Trainer's business (`training.bf16`).

    Raises:
        ModelError: no checkpoint, not one for this task's modality, or no safetensors in it.
        HubError: the Hub cannot be reached or refuses, or what it sends is damaged.
    """
    import torch

    with explained(section, task), silence_transformers():
        # config, processor and weights come from one commit, even if someone pushes in between
        commit = resolve_commit(section)
        state = torch.random.get_rng_state()

        def load_commit(_again: bool) -> Checkpoint:
            """Load files of the commit; a second time with the same new head."""
            torch.random.set_rng_state(state)
            return _load(section, task, labels, commit, pretrained=pretrained)

        checkpoint = hub_files.load_whole("model", section.checkpoint, commit, load_commit)
    check_vocabulary(checkpoint.model, checkpoint.processor, section)
    if task.modality == "audio":
        check_spectrograms(checkpoint.model, checkpoint.processor, section)
    return checkpoint


def _load(
    section: "Model", task: "Task", labels: Labels, commit: str | None, *, pretrained: bool
) -> Checkpoint:
    """Load the files of one commit."""
    import transformers

    auto = getattr(transformers, task.auto_class)
    options = {
        "revision": commit or section.revision,
        "trust_remote_code": section.trust_remote_code,
    }
    trusted_code.check(section, commit or section.revision, pretrained=pretrained)
    config = transformers.AutoConfig.from_pretrained(section.checkpoint, **options)
    check_head(config, section, task)
    output_names = config_fields.output_names(config, section)
    field_notes = config_fields.check(config, section, labels)
    config = _configured(config, {**section.config, **labels.config})
    timm_config.complete(config)
    processor, notes = image_inputs.load_processor(task, section, labels, config, options)
    notes = (*field_notes, *notes)
    # before the model is built: a head's size may follow from the processor's vocabulary
    task.configure(config, processor, labels)
    arguments = {**options, **_build_arguments(section, auto, config)}
    tower = pretrained and image_tower.load(auto, config, processor, section, labels, options)
    build = _load_weights if pretrained else _draw_weights
    model, newly_initialized, mismatched = (
        (tower.model, [*tower.new], []) if tower else build(auto, config, section, arguments)
    )
    if tower:
        processor, notes = tower.processor, (*notes, *tower.notes)
    if task.modality == "image":
        build_anew = partial(_build_anew, auto, section, arguments)
        inputs = image_inputs.fit(model, processor, section, build_anew)
        model, processor, notes = inputs.model, inputs.processor, (*notes, *inputs.notes)
    if pretrained and section.head != "zero_shot":
        trust = {"trust_remote_code": section.trust_remote_code}
        draw = partial(auto.from_config, model.config, **trust)
        newly_initialized, note = head.match(
            model, output_names, labels, section, newly_initialized, mismatched, draw
        )
        notes = (*notes, note) if note else notes
    new, text_head = tuple(sorted(newly_initialized)), tower.text_head if tower else None
    return Checkpoint(model, processor, new, commit, notes, text_head=text_head)


def _build_arguments(section: "Model", auto: Any, config: Any) -> dict[str, Any]:
    import torch

    arguments: dict[str, Any] = {"dtype": torch.float32}
    arguments["attn_implementation"] = section.attn_implementation
    if section.quantization:
        arguments["quantization_config"] = quantization.settings(
            section.quantization, auto, config, trusts_code=section.trust_remote_code
        )
    return arguments


def _load_weights(
    auto: Any, config: Any, section: "Model", arguments: dict[str, Any]
) -> tuple[Any, list[str], list[str]]:
    """Load the checkpoint's weights.

    Returns:
        The model, the names that the checkpoint does not hold, and those of them that it holds in
        another shape.
    """
    model, report = auto.from_pretrained(
        section.checkpoint,
        config=config,
        # false would insist on pickled weights; None takes what there is, safetensors first
        use_safetensors=section.use_safetensors or None,
        ignore_mismatched_sizes=True,  # a head for another number of labels is drawn anew
        output_loading_info=True,
        **arguments,
    )
    mismatched = [key for key, *_ in report["mismatched_keys"]]
    newly_initialized = [*report["missing_keys"], *mismatched]
    check_weights(model, newly_initialized, section)
    quantization.disable_avx512_packing(model)
    return model, newly_initialized, mismatched


def _draw_weights(
    auto: Any, config: Any, section: "Model", arguments: dict[str, Any]
) -> tuple[Any, list[str], list[str]]:
    """Draw random weights; returns as `_load_weights`: the names are of all parameters."""
    # `from_config` would hand a revision to the model's constructor
    arguments = {key: value for key, value in arguments.items() if key != "revision"}
    model = auto.from_config(config, **arguments)
    draw_weights(model)
    return model, [name for name, _ in model.named_parameters()], []


def _build_anew(
    auto: Any, section: "Model", arguments: dict[str, Any], config: "PretrainedConfig"
) -> Any:
    return _draw_weights(auto, config, section, arguments)[0]


def _configured(config: "PretrainedConfig", fields: dict[str, Any]) -> "PretrainedConfig":
    """Set fields of a config.

    Raises:
        ModelError: the config refuses a value.
    """
    from huggingface_hub.errors import StrictDataclassError

    for name, value in fields.items():
        try:
            setattr(config, name, value)
        except StrictDataclassError as error:
            raise ModelError(f"model.config.{name}: {value!r}: {error.__cause__}") from error
    return config
