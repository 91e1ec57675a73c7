"""Sections of a recipe that are right by themselves and do not go together."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipelines.data.sources import Source, StreamedSource
from pipelines.evaluation.calibration import Calibration
from pipelines.models import quantization
from pipelines.models.section import Model
from pipelines.recipe.sections import HubTarget
from pipelines.strategies import Strategy
from pipelines.tasks import Task
from pipelines.tasks.augmentations import Augmentation
from pipelines.training.averaging import Averaging
from pipelines.training.early_stopping import EarlyStopping
from pipelines.training.regularization import Regularization
from pipelines.training.speed import Speed

Problem = tuple[tuple[str, ...], str]  # a key, and what is wrong there
UNSET = ("auto", "off")  # values of a switch that ask for nothing


# a protocol, since recipe.py imports this file
class Sections(Protocol):
    """What is checked here: the sections of a recipe."""

    @property
    def task(self) -> Task: ...
    @property
    def model(self) -> Model: ...
    @property
    def data(self) -> Source: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def augmentation(self) -> Augmentation | None: ...
    @property
    def training(self) -> Mapping[str, Any]: ...
    @property
    def regularization(self) -> Regularization: ...
    @property
    def averaging(self) -> Averaging: ...
    @property
    def speed(self) -> Speed: ...
    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def hub(self) -> HubTarget: ...
    @property
    def early_stopping(self) -> EarlyStopping | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield every conflict between sections, those of the strategy first."""
    strategy = recipe.strategy
    refusal = strategy.incompatibility(recipe.task)
    if refusal:
        yield ("strategy", "name"), f"'{strategy.name}': {refusal}"
    if recipe.augmentation and not strategy.augments:
        yield (
            ("augmentation",),
            f"strategy '{strategy.name}' computes features once, so augmentation has no effect; "
            "use full or lora, or leave augmentation out",
        )
    if recipe.model.quantization:
        yield from _quantization_problems(recipe)
    if _saves(recipe) == "adapter":
        yield from _adapter_problems(recipe)
    if recipe.model.image_size and recipe.task.modality != "image":
        yield (
            ("model", "image_size"),
            f"{recipe.task.name} reads {recipe.task.modality}, no images; leave it out",
        )
    # `auto` may choose a strategy that has folds
    if recipe.data.folds not in ("auto", 0) and not (
        strategy.cross_validates or strategy.name == "auto"
    ):
        yield (
            ("data", "folds"),
            f"{recipe.data.folds}: strategy '{strategy.name}' trains by steps, which choose on "
            "rows that are set aside; use linear_probe, or leave data.folds out",
        )
    yield from _step_problems(recipe)
    yield from _sampler_problems(recipe)
    yield from _precision_problems(recipe.training)
    if recipe.early_stopping and "early_stopping" in recipe.model_fields_set:
        yield from _early_stopping_problems(recipe)
    if recipe.calibration and recipe.task.prediction_unit != "example":
        yield (
            ("calibration",),
            f"{recipe.task.name} does not choose one of several classes for an example, so there "
            "are no probabilities to calibrate; leave it out, or write null",
        )
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        yield from _streaming_problems(recipe)


def _early_stopping_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why there are no evaluations that early stopping could count."""
    if not recipe.strategy.trains_on_task_loss:
        yield (
            ("early_stopping",),
            f"counts evaluations, and strategy '{recipe.strategy.name}' has none before its head "
            "is solved; leave it out",
        )
    elif recipe.training.get("eval_strategy") == "no":
        yield (
            ("early_stopping",),
            "counts evaluations, and training.eval_strategy is 'no'; write early_stopping: null, "
            "or evaluate by epoch or steps",
        )


def _saves(recipe: Sections) -> str | None:
    """Return what a strategy with adapters saves: merged or adapter."""
    return getattr(recipe.strategy, "save", None)


def _adapter_problems(recipe: Sections) -> Iterator[Problem]:
    key, folder = ("strategy", "save"), recipe.model.checkpoint
    # an adapter names its checkpoint, and nobody else has this folder
    if recipe.hub.push and Path(folder).exists():
        yield (
            key,
            f"'adapter': it needs the checkpoint {folder}, which is a local folder that nobody can "
            "download from the Hub; use merged",
        )
    if recipe.model.image_size:
        yield (
            key,
            "'adapter': it is loaded on top of the checkpoint, which has another size of images "
            "than model.image_size; use merged",
        )
    if recipe.averaging.soup:
        yield key, "'adapter': a soup averages whole weights; use merged"


def _quantization_problems(recipe: Sections) -> Iterator[Problem]:
    bits, strategy = recipe.model.quantization, recipe.strategy
    key = ("model", "quantization")
    if not strategy.quantizes:
        yield (
            key,
            f"'{bits}': strategy '{strategy.name}' needs the weights themselves; use lora, ia3 or "
            "ln_tuning",
        )
    elif _saves(recipe) != "adapter":
        yield key, f"'{bits}': merged weights would be rounded again; use strategy.save=adapter"
    if bits == "8bit" and getattr(strategy, "use_dora", False):
        yield ("strategy", "use_dora"), "DoRA loses the scales of 8-bit weights in peft; use 4bit"
    if not quantization.is_installed():
        yield key, f"'{bits}': {quantization.INSTALL}"


def _step_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield conflicts of what changes gradient steps, or averages their results."""
    strategy = recipe.strategy
    if strategy.no_gradient_reason:
        sections = ("regularization", "averaging", "speed")
        yield from _useless(recipe, sections, "takes no gradient steps")
        return
    # `auto` may choose a strategy that does
    if recipe.speed.frozen_blocks == "on" and not (
        strategy.caches_frozen_blocks or strategy.name == "auto"
    ):
        yield (
            ("speed", "frozen_blocks"),
            f"'on': strategy '{strategy.name}' has no frozen blocks whose activations could be "
            "kept on disk; use top_layers, or say auto or off",
        )
    if not strategy.trains_on_task_loss:
        reason = "has a loss of its own, and its head is solved after the last step"
        yield from _useless(recipe, ("regularization", "averaging"), reason)
        return
    if recipe.regularization.l2_sp and not strategy.changes_pretrained_weights:
        yield (
            ("regularization", "l2_sp"),
            f"strategy '{strategy.name}' changes no pretrained weights that this could hold back; "
            "use full",
        )
    if recipe.averaging.wise_ft and not strategy.solves_head(recipe.task):
        yield (
            ("averaging", "wise_ft"),
            f"strategy '{strategy.name}' does not start from a probe; use lp_ft",
        )


def _useless(recipe: Sections, sections: tuple[str, ...], reason: str) -> Iterator[Problem]:
    """Yield what is set in sections that have no effect on the strategy."""
    for section in sections:
        values = dict(getattr(recipe, section))
        for name in (n for n, value in values.items() if value and value not in UNSET):
            yield (
                (section, name),
                f"strategy '{recipe.strategy.name}' {reason}, so {section}.{name} has no effect; "
                "use for example lp_ft",
            )


def _sampler_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what else decides the order of rows, where `task.sampler` does."""
    sampler = getattr(recipe.task, "sampler", None)
    if not sampler:
        return
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        yield (
            ("task", "sampler"),
            f"'{sampler}': the rows of a stream cannot be drawn by their classes; leave it out, or "
            "use task.class_weights=balanced",
        )
    strategy = recipe.training.get("train_sampling_strategy") or "random"
    if strategy != "random":
        yield (
            ("training", "train_sampling_strategy"),
            f"'{strategy}': task.sampler '{sampler}' orders the rows already; leave one of them "
            "out (speed.length_buckets saves padding in batches of any rows)",
        )


def _precision_problems(training: Mapping[str, Any]) -> Iterator[Problem]:
    for precise in ("fp16", "bf16"), ("fp16_full_eval", "bf16_full_eval"):
        if all(training.get(name) for name in precise):
            yield (
                ("training", precise[0]),
                f"{' and '.join(precise)} are two ways to compute in 16 bits; set one of them "
                "(bf16 where the accelerator has it)",
            )


def _streaming_problems(recipe: Sections) -> Iterator[Problem]:
    training = recipe.training
    # null and -1 mean that epochs decide
    if (training.get("max_steps") or 0) <= 0:
        yield (
            ("training", "max_steps"),
            "data.streaming needs it: a stream has no known length; set the number of steps",
        )
    if training.get("eval_strategy") == "epoch":
        yield (
            ("training", "eval_strategy"),
            "'epoch': processes reach the end of a stream at different steps; expected steps or no",
        )
    if not recipe.task.streams:
        yield ("task", "name"), f"{recipe.task.name} cannot be streamed: leave out data.streaming"
    if recipe.strategy.why_no_streaming:
        yield (
            ("strategy", "name"),
            f"{recipe.strategy.name} cannot be streamed: {recipe.strategy.why_no_streaming}",
        )
