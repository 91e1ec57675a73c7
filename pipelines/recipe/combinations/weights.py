"""Conflicts about weights: stored in few bits, saved as an adapter, or a head to be kept."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.models import quantization
from pipelines.recipe.combinations.sections import Problem, Sections


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what cannot be done with the checkpoint's weights, its head or the size of images."""
    if recipe.model.quantization:
        yield from _quantization_problems(recipe)
    if _saves(recipe) == "adapter":
        yield from _adapter_problems(recipe)
    if recipe.model.head in ("keep", "zero_shot"):
        yield from _head_problems(recipe)
    if recipe.averaging.merge:
        yield from _merge_problems(recipe)
    if recipe.model.image_size and recipe.task.modality != "image":
        yield (
            ("model", "image_size"),
            f"{recipe.task.name} reads {recipe.task.modality}, no images; leave it out",
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


def _merge_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why there are no whole weights that others could be merged into."""
    key, strategy = ("averaging", "merge"), recipe.strategy
    if recipe.model.quantization:
        yield key, "weights in few bits cannot be merged; leave model.quantization out"
    if recipe.model.trust_remote_code:
        yield key, "code is trusted of one commit only; leave model.trust_remote_code out"
    if not strategy.pretrained:
        yield key, f"strategy '{strategy.name}' draws all weights anew; use full, or leave it out"
    if _saves(recipe) == "adapter":
        yield (
            ("strategy", "save"),
            "'adapter': it is loaded on top of the checkpoint, which averaging.merge changes; use "
            "merged",
        )


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


def _head_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why the checkpoint's output layer would not be used."""
    key, strategy, head = ("model", "head"), recipe.strategy, recipe.model.head
    if not strategy.pretrained:
        yield (
            key,
            f"'{head}': strategy '{strategy.name}' draws all weights anew, the head's too; use "
            "full, or leave model.head out",
        )
    # `auto` looks for a strategy that keeps it
    elif strategy.has_solved_head(recipe.task) and strategy.name != "auto":
        # those that solve it before they train, where that can be left out
        is_choice = strategy.solves_head(recipe.task) and hasattr(strategy, "head")
        trained = " (or strategy.head=trained)" if is_choice else ""
        yield (
            key,
            f"'{head}': strategy '{strategy.name}' solves the head anew; use full or "
            f"lora{trained}, or leave model.head out",
        )
