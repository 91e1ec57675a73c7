"""A head that projects before it classifies, solved as the one linear layer that it is.

wav2vec2 and Whisper project every frame, take the mean and classify it; the projection is as new
as the rest of the head, and random. Nothing stands between the two layers but the mean, so
together they express any linear function of the mean of the hidden states: the probe reads that,
and its solution is written into both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy
    from pipelines.models.output.head_layers import Linear

Batch = dict[str, Any]


def find(
    model: Any, anatomy: "Anatomy", newly_initialized: tuple[str, ...], batch: Batch
) -> str | None:
    """Find a new linear layer of the head that could as well come after the pooling.

    Whether one could is tried on `batch`, which is without labels.

    Returns:
        The layer's name; None where there is no such layer.
    """
    from torch.nn import Linear

    from pipelines.models.anatomy import inside

    if anatomy.output is None:
        return None
    output = model.get_submodule(anatomy.output)
    for name, module in model.named_modules():
        if (
            isinstance(module, Linear)
            and module is not output
            and inside(name, anatomy.head)
            and f"{name}.weight" in newly_initialized
            # with fewer rows than labels the two layers could not express every linear function
            and output.out_features <= module.out_features == output.in_features
            and _commutes(model, name, output, batch)
        ):
            return name
    return None


@contextmanager
def left_out(model: Any, anatomy: "Anatomy", name: str) -> Iterator[None]:
    """Let the output layer read the input of the projection `name` inside the block."""
    import torch

    projection, output = (model.get_submodule(n) for n in (name, anatomy.output))
    has_bias = output.bias is not None or projection.bias is not None
    straight = torch.nn.utils.skip_init(  # of the right size only: its output is never used
        torch.nn.Linear, projection.in_features, output.out_features, has_bias, device=model.device
    )
    try:
        model.set_submodule(name, torch.nn.Identity())
        model.set_submodule(anatomy.output, straight)
        yield
    finally:
        model.set_submodule(name, projection)
        model.set_submodule(anatomy.output, output)


def fold(model: Any, anatomy: "Anatomy", name: str, head: "Linear") -> None:
    """Write `head` into projection and output layer, which together compute it.

    The first rows of the projection get its weights, and the output layer picks these rows. The
    other rows stay random: nothing reads them yet, but a training that goes on from here can, since
    the output layer's weights for them have gradients, as those for zeros would not.
    """
    import torch

    assert anatomy.output
    projection, output = (model.get_submodule(n) for n in (name, anatomy.output))
    num_labels = output.out_features
    with torch.no_grad():
        # output = [I 0], projection = [head; random]: their product is the head
        output.weight.zero_()
        output.weight[:, :num_labels] = torch.eye(num_labels)
        projection.weight[:num_labels] = torch.from_numpy(head.weight)
        biases = [layer.bias for layer in (output, projection) if layer.bias is not None]
        for bias in biases:
            bias[:num_labels] = 0
        # one of the two biases is enough; the output layer's is the nearer one
        if biases:
            biases[0][:num_labels] = torch.from_numpy(head.bias)


def _commutes(model: Any, name: str, output: Any, batch: Batch) -> bool:
    """Return whether projection and pooling commute; they do not if a nonlinearity lies between."""
    import torch

    projection = model.get_submodule(name)
    projected = _input_of(output, model, batch)
    model.set_submodule(name, torch.nn.Identity())
    try:
        pooled = _input_of(output, model, batch)
    except RuntimeError:  # another layer of the head counts on the projection's size
        return False
    finally:
        model.set_submodule(name, projection)
    if pooled.shape[-1] != projection.in_features:
        return False
    with torch.inference_mode():
        return torch.allclose(projection(pooled), projected, rtol=1e-4, atol=1e-5)


def _input_of(output: Any, model: Any, batch: Batch) -> "torch.Tensor":
    """Run a batch and catch the output layer's input, whatever its size.

    The layer itself gets zeros of the size that it expects.
    """
    import torch

    caught: list[torch.Tensor] = []

    def catch(_: Any, inputs: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        caught.append(inputs[0])
        return inputs[0].new_zeros(*inputs[0].shape[:-1], output.in_features)

    hook = output.register_forward_pre_hook(catch)
    try:
        with torch.inference_mode():
            model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
    finally:
        hook.remove()
    return caught[0]
