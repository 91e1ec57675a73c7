"""Sections of a recipe that are right by themselves and do not go together."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.data.sources import StreamedSource
from pipelines.models import quantization

if TYPE_CHECKING:
    from pipelines.recipe import Recipe

Problem = tuple[tuple[str, ...], str]  # a key, and what is wrong there


def problems(recipe: "Recipe") -> Iterator[Problem]:
    """Everything that does not go with something else, the strategy first."""
    strategy = recipe.strategy
    refusal = strategy.incompatibility(recipe.task)
    if refusal:
        yield ("strategy", "name"), f"'{strategy.name}': {refusal}"
    if recipe.augmentation and not strategy.augments:
        yield (
            ("augmentation",),
            f"strategy '{strategy.name}' sees each example once, so that it cannot vary; use full "
            "or lora, or leave augmentation out",
        )
    if recipe.model.quantization:
        yield from _of_quantization(recipe)
    if _saves(recipe) == "adapter":
        yield from _of_an_adapter(recipe)
    yield from _of_steps(recipe)
    if recipe.calibration and recipe.task.prediction_unit != "example":
        yield (
            ("calibration",),
            f"{recipe.task.name} does not choose one of some classes for an example: there are no "
            "probabilities to calibrate; leave it out, or say null",
        )
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        yield from _of_streaming(recipe)


def _saves(recipe: "Recipe") -> str | None:
    """What a strategy that has adapters makes of them."""
    return getattr(recipe.strategy, "save", None)


def _of_an_adapter(recipe: "Recipe") -> Iterator[Problem]:
    key, folder = ("strategy", "save"), recipe.model.checkpoint
    if recipe.hub.push and Path(folder).exists():
        yield (
            key,
            f"'adapter': on the Hub nobody has the folder {folder} that it is for; use merged",
        )
    if recipe.averaging.soup:
        yield key, "'adapter': a soup is made of whole weights; use merged"


def _of_quantization(recipe: "Recipe") -> Iterator[Problem]:
    bits, strategy = recipe.model.quantization, recipe.strategy
    if not strategy.quantizes:
        yield (
            ("model", "quantization"),
            f"'{bits}': strategy '{strategy.name}' needs the weights themselves; use lora, ia3 or "
            "ln_tuning",
        )
    elif _saves(recipe) != "adapter":
        yield (
            ("model", "quantization"),
            f"'{bits}': what is merged would be rounded once more; use strategy.save=adapter",
        )
    if bits == "8bit" and getattr(strategy, "use_dora", False):
        yield ("strategy", "use_dora"), "DoRA loses the scales of 8-bit weights in peft; use 4bit"
    if not quantization.is_installed():
        yield ("model", "quantization"), f"'{bits}': {quantization.INSTALL}"


def _of_steps(recipe: "Recipe") -> Iterator[Problem]:
    """What changes how steps are made, or mixes what they come to."""
    strategy = recipe.strategy
    if strategy.no_gradient_reason:
        for section in ("regularization", "averaging"):
            said = dict(getattr(recipe, section))
            for name in (name for name, value in said.items() if value):
                yield (section, name), f"strategy '{strategy.name}' makes no steps; use lp_ft, say"
        return
    if recipe.regularization.l2_sp and not strategy.changes_pretrained_weights:
        yield (
            ("regularization", "l2_sp"),
            f"strategy '{strategy.name}' moves nothing that was pretrained; use full",
        )
    if recipe.averaging.wise_ft and not strategy.solves_head(recipe.task):
        yield (
            ("averaging", "wise_ft"),
            f"strategy '{strategy.name}' does not start from a probe; use lp_ft",
        )


def _of_streaming(recipe: "Recipe") -> Iterator[Problem]:
    training = recipe.training
    if (training.get("max_steps") or 0) <= 0:
        yield (
            ("training", "max_steps"),
            "data.streaming needs it: nobody knows how long a stream is; say how many steps",
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
