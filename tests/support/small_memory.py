"""A model that runs out of memory with more than some rows in a training step, as on a GPU.

limit(model.classifier, 4)                  where a forward pass comes to its head
limit(embeddings, 4, backward=True)         where a backward pass comes to its embeddings: the
                                            gradients of all other layers are added up by then
"""

from typing import Any

import torch

FULL_GPU = "CUDA out of memory. Tried to allocate 2.00 GiB."


def limit(module: Any, max_rows: int, *, backward: bool = False) -> None:
    """Let a module fail for batches of more rows; passes without gradients have memory enough."""

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError(FULL_GPU)

    def watch(_: Any, inputs: Any, outputs: Any) -> None:
        if not torch.is_grad_enabled() or len(outputs) <= max_rows:
            return
        if not backward:
            fail()
        outputs.register_hook(fail)

    module.register_forward_hook(watch)
