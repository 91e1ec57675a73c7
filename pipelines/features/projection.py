"""A head that projects before it classifies, solved as the one linear layer that it is.

wav2vec2 and Whisper project every frame, take the mean and classify it; the projection is as new
as the rest of the head, and random. Nothing stands between the two layers but the mean, so
together they express any linear function of the mean of the hidden states: the probe reads that,
and what it finds is put into both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from pipelines.features.heads import Linear
    from pipelines.models.anatomy import Anatomy

Batch = dict[str, Any]


def find(
    model: Any, anatomy: "Anatomy", newly_initialized: tuple[str, ...], batch: Batch
) -> str | None:
    """The fresh linear layer of the head that could as well come after the pooling.

    Whether there is one is tried on `batch`, which is without labels.
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
            and output.out_features <= module.out_features == output.in_features
            and _commutes(model, name, output, batch)
        ):
            return name
    return None


@contextmanager
def left_out(model: Any, anatomy: "Anatomy", name: str) -> Iterator[None]:
    """Inside, the output layer reads what the projection `name` would have projected."""
    import torch

    projection, output = (model.get_submodule(n) for n in (name, anatomy.output))
    has_bias = output.bias is not None or projection.bias is not None
    straight = torch.nn.utils.skip_init(  # nobody asks for its answers
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
    """Let projection and output layer together compute `head`: the first rows of the projection get
    its weights, and the output layer picks these rows.

    The other rows stay as they were drawn. Nothing reads them yet, but a training that goes on from
    here can: the output layer's weights for them have gradients, as those for zeros would not.
    """
    import torch

    assert anatomy.output
    projection, output = (model.get_submodule(n) for n in (name, anatomy.output))
    num_labels = output.out_features
    with torch.no_grad():
        output.weight.zero_()
        output.weight[:, :num_labels] = torch.eye(num_labels)
        projection.weight[:num_labels] = torch.from_numpy(head.weight)
        biases = [layer.bias for layer in (output, projection) if layer.bias is not None]
        for bias in biases:
            bias[:num_labels] = 0
        if biases:
            biases[0][:num_labels] = torch.from_numpy(head.bias)


def _commutes(model: Any, name: str, output: Any, batch: Batch) -> bool:
    """Whether projecting the pooled is pooling the projected, as on no head with a nonlinearity."""
    import torch

    projection = model.get_submodule(name)
    projected = _input_of(output, model, batch)
    model.set_submodule(name, torch.nn.Identity())
    try:
        pooled = _input_of(output, model, batch)
    except RuntimeError:  # something else in the head counts on the projection's size
        return False
    finally:
        model.set_submodule(name, projection)
    if pooled.shape[-1] != projection.in_features:
        return False
    with torch.inference_mode():
        return torch.allclose(projection(pooled), projected, rtol=1e-4, atol=1e-5)


def _input_of(output: Any, model: Any, batch: Batch) -> "torch.Tensor":
    """What the output layer reads; it is given zeros instead, which are always of its size."""
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
