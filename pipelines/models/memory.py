"""The memory that a training step needs: counted, not guessed from a table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.models.anatomy import count

if TYPE_CHECKING:
    import torch

BYTES_PER_FLOAT = 4  # float32


def of_step(
    model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None = None
) -> dict[str, int]:
    """Count the bytes of weights, of gradients and optimizer state, and of a batch's activations.

    Activations are what autograd saves during one real forward pass, each storage once.

    Args:
        loss: `loss(outputs, labels)` in place of the model's own.
    """
    trainable, total = count(model)
    return {
        "weights": BYTES_PER_FLOAT * total,
        # a gradient, and Adam's two moments, for each parameter that trains
        "gradients and optimizer": 3 * BYTES_PER_FLOAT * trainable,
        # where nothing trains, nothing is saved for a backward pass
        "activations": _activations(model, batch, loss) if trainable else 0,
    }


def _activations(model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None) -> int:
    import torch

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, int] = {}

    def record(tensor: "torch.Tensor") -> "torch.Tensor":
        # weights are saved for the backward pass, too, and are counted already; views share storage
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        # in training mode: dropout saves its masks
        result = _loss(model.train(), batch, loss)
    # Until here the graph keeps all storages alive: a freed one would give its address to another.
    del result
    return sum(saved.values())


def _loss(model: Any, batch: dict[str, Any], loss: Callable[..., Any] | None) -> "torch.Tensor":
    if loss is None:
        return model(**batch).loss
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    return loss(model(**inputs), batch["labels"])
