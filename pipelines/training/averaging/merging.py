"""Merge fine-tuned checkpoints of one base into it, all but the head, before training starts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.core.errors import ModelError
from pipelines.training.averaging.task_vectors import METHODS

if TYPE_CHECKING:
    import torch

    from pipelines.models.load import Checkpoint
    from pipelines.models.section import Model
    from pipelines.training.averaging.merge import Merge, TunedCheckpoint

    Load = Callable[[Model], Checkpoint]
    State = dict[str, torch.Tensor]

# between a checkpoint and its base; fine-tuning leaves it near 1, other weights are near 0
MIN_COSINE = 0.5
TINY = 1e-12  # against a division by zero
KEY = "averaging.merge.checkpoints"


def merge(
    base: "Checkpoint", section: "Merge", model: "Model", load: "Load", seed: int
) -> "Checkpoint":
    """Load the checkpoints of `section` and add their merged changes to `base`, in place.

    Running statistics of normalization become the mean of theirs. The head stays that of `base`.

    Args:
        model: the section that `base` was loaded by.
        load: loads a section's checkpoint with a head for the same task.
        seed: of what is drawn.

    Returns:
        `base`, with a note on what was merged and the commits of what it was merged from.

    Raises:
        ModelError: a checkpoint cannot be loaded, has another architecture or other shapes, was
            not fine-tuned from the base, or has the same weights.
    """
    import torch

    start, statistics = _encoder(base), _statistics(base)
    totals = {name: torch.zeros_like(tensor) for name, tensor in statistics.items()}
    vectors, commits = [], []
    for tuned in section.checkpoints:
        loaded = _load(tuned, model, load)
        vectors.append(_vector(tuned.checkpoint, loaded, base, model.checkpoint))
        for name, tensor in _statistics(loaded).items():
            totals[name] += tensor / len(section.checkpoints)
        commits.append(loaded.commit)
    sizes = [_norm(vector) / _norm(start) for vector in vectors]
    change = METHODS[section.method](vectors, section.density_of_changes, seed)
    for name, tensor in start.items():
        tensor += section.scale_of_change * change[name]
    for name, tensor in statistics.items():
        tensor.copy_(totals[name])
    note = _note(section, sizes)
    return replace(base, notes=(*base.notes, note), merged_commits=tuple(commits))


def _load(tuned: "TunedCheckpoint", model: "Model", load: "Load") -> "Checkpoint":
    # its own head is of no use: the recipe's strategy makes one
    section = model.replace(checkpoint=tuned.checkpoint, revision=tuned.revision, head="new")
    try:
        return load(section)
    except ModelError as error:
        raise ModelError(f"{KEY}: {error}") from error


def _vector(name: str, tuned: "Checkpoint", base: "Checkpoint", base_name: str) -> "State":
    """Subtract the base from a checkpoint: what fine-tuning changed, without the head.

    Raises:
        ModelError: it was not fine-tuned from the base, or is the base.
    """
    start, weights = _encoder(base), _encoder(tuned)
    place = f"{KEY}: '{name}'"
    kinds = [type(checkpoint.model).__name__ for checkpoint in (tuned, base)]
    other = next(_differences(_shapes(tuned), _shapes(base)), None)
    if other or kinds[0] != kinds[1]:
        facts = f"is a {kinds[0]}, and '{base_name}' a {kinds[1]}"
        if other:
            facts = f"has other weights than '{base_name}' ({other})"
        raise ModelError(f"{place}: {facts}; expected checkpoints that were fine-tuned from it")
    # what only one of both held was drawn anew in the other, and says nothing
    vector = {
        key: weights[key] - tensor if key in weights else tensor * 0
        for key, tensor in start.items()
    }
    size = _norm(vector)
    if not isfinite(size):
        raise ModelError(f"{place}: holds weights that are not finite; remove it")
    if not size:
        raise ModelError(f"{place}: has the same weights as '{base_name}'; remove it")
    cosine = _cosine(weights, start)
    if cosine < MIN_COSINE:
        raise ModelError(
            f"{place}: was not fine-tuned from '{base_name}': their weights have a cosine of "
            f"{cosine:.2f}, where fine-tuning leaves more than {MIN_COSINE}; remove it, or name "
            "its base in model.checkpoint"
        )
    return vector


def _shapes(checkpoint: "Checkpoint") -> dict[str, tuple[int, ...]]:
    """Look up the shape of every parameter outside of the head that the architecture has."""
    from pipelines.models.anatomy import dissect, inside

    head = dissect(checkpoint.model).head
    named = checkpoint.model.named_parameters()
    return {name: tuple(p.shape) for name, p in named if not inside(name, head)}


def _differences(
    shapes: dict[str, tuple[int, ...]], others: dict[str, tuple[int, ...]]
) -> Iterator[str]:
    for name in {**others, **shapes}:
        sides = [" x ".join(map(str, side.get(name, ()))) or "none" for side in (shapes, others)]
        if shapes.get(name) != others.get(name):
            yield f"{name}: {' and '.join(sides)}"


def _encoder(checkpoint: "Checkpoint") -> "State":
    """Collect the parameters that the checkpoint held, without the head's."""
    from pipelines.models.anatomy import dissect, inside

    head = dissect(checkpoint.model, checkpoint.newly_initialized).head
    return {
        name: parameter.data
        for name, parameter in checkpoint.model.named_parameters()
        if not inside(name, head)
    }


def _statistics(checkpoint: "Checkpoint") -> "State":
    """Collect means and variances of batch normalization, and other buffers of numbers."""
    buffers = checkpoint.model.named_buffers()
    return {name: buffer for name, buffer in buffers if buffer.is_floating_point()}


def _norm(state: "State") -> float:
    return _product(state, state) ** 0.5


def _product(state: "State", other: "State") -> float:
    """Multiply two models' weights as vectors; one that only one of them has counts nothing."""
    products = (
        float((state[name].double() * other[name].double()).sum())
        for name in state.keys() & other.keys()
    )
    return sum(products)


def _cosine(state: "State", other: "State") -> float:
    """Compare the matrices: scales of normalization are near 1 in all models."""
    names = [name for name in state.keys() & other.keys() if state[name].ndim > 1]
    left = {name: state[name] for name in names}
    right = {name: other[name] for name in names}
    return _product(left, right) / max(_norm(left) * _norm(right), TINY)


def _note(section: "Merge", sizes: "Sequence[float]") -> str:
    """Say what was merged, and how far each checkpoint is from the base."""
    settings = f"scale {section.scale_of_change:g}"
    if section.density_of_changes < 1:
        settings += f", density {section.density_of_changes:g}"
    distances = (
        f"{tuned.checkpoint} ({size:.2%})"
        for tuned, size in zip(section.checkpoints, sizes, strict=True)
    )
    return (
        f"merge: {section.method} ({settings}) of what fine-tuning changed, beside the norm of the "
        f"base: {', '.join(distances)}"
    )
