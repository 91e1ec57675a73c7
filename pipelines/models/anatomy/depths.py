"""Some depths of a model train, the rest is frozen: what several strategies share."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def train_only(model: Any, anatomy: "Anatomy", depths: Container[int]) -> None:
    """Gradients for the parameters of these depths of `Anatomy.depths`, and for no others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(anatomy.depth(name) in depths)


def frozen_modules(model: Any, anatomy: "Anatomy", depths: Iterable[int]) -> tuple[str, ...]:
    """The modules of the encoder in which nothing of these depths lies.

    Not only those that have weights: GPT-2's dropout before its blocks is among them.
    """
    from pipelines.models.anatomy import inside, outermost

    training = [name for depth in depths for name in anatomy.depths[depth]]
    return outermost(
        name
        for name, _ in model.named_modules()
        if name
        and inside(name, [anatomy.encoder])
        and not inside(name, training)
        and not any(inside(other, [name]) for other in training)
    )
