"""How much memory a training step needs: counted, not guessed from a table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.models.anatomy import count

if TYPE_CHECKING:
    import torch

FLOAT = 4  # bytes of a float32


def of_step(
    model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None = None
) -> dict[str, int]:
    """Bytes of weights, gradients and optimizer state, and of the activations of one batch.

    Activations are what autograd keeps during one real forward pass, each storage once. Adam
    keeps two numbers for each trainable one. `loss` stands in for the model's own.
    """
    trainable, total = count(model)
    return {
        "weights": FLOAT * total,
        "gradients and optimizer": 3 * FLOAT * trainable,
        "activations": _activations(model, batch, loss) if trainable else 0,
    }


def _activations(model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None) -> int:
    import torch

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: "torch.Tensor") -> "torch.Tensor":
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = _loss(model.train(), batch, loss)
    del result
    return sum(kept.values())


def _loss(model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None) -> "torch.Tensor":
    if loss is None:
        return model(**batch).loss
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    return loss(model(**inputs), batch["labels"])
