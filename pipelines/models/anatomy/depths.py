"""Training some depths of a model and freezing the rest."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def train_only(model: Any, anatomy: "Anatomy", depths: Container[int]) -> None:
    """Require gradients for the parameters of these depths of `Anatomy.depths`, and no others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(anatomy.depth(name) in depths)


def frozen_modules(model: Any, anatomy: "Anatomy", depths: Iterable[int]) -> tuple[str, ...]:
    """List the outermost modules of the encoder in which nothing of these depths lies.

    Modules without weights are among them, such as GPT-2's dropout before its blocks: in train mode
    they would change what frozen blocks compute.
    """
    from pipelines.models.anatomy import inside, outermost

    training = [name for depth in depths for name in anatomy.depths[depth]]

    def holds_training(module: str) -> bool:
        return any(inside(name, [module]) for name in training)

    return outermost(
        name
        for name, _ in model.named_modules()
        if name
        and inside(name, [anatomy.encoder])
        and not inside(name, training)
        and not holds_training(name)
    )
