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

    from pipelines.anatomy import Anatomy

Batch = dict[str, Any]


@contextmanager
def left_out(
    model: Any, anatomy: "Anatomy", fresh: tuple[str, ...], batch: Batch
) -> Iterator[None]:
    """Inside, the output layer of `model` reads what a fresh projection would have projected.

    After it, projection and output layer compute what that layer has learned. Without such a
    projection nothing happens; whether there is one is tried on `batch`, without its labels.
    """
    import torch

    name = _projection(model, anatomy, fresh, batch)
    if name is None:
        yield
        return
    projection, output = (model.get_submodule(n) for n in (name, anatomy.output))
    straight = torch.nn.Linear(projection.in_features, output.out_features, device=model.device)
    try:
        model.set_submodule(name, torch.nn.Identity())
        model.set_submodule(anatomy.output, straight)
        yield
    finally:
        model.set_submodule(name, projection)
        model.set_submodule(anatomy.output, output)
    _fold(straight, projection, output)


def _projection(model: Any, anatomy: "Anatomy", fresh: tuple[str, ...], batch: Batch) -> str | None:
    """The fresh linear layer of the head that could as well come after the pooling."""
    from torch.nn import Linear

    from pipelines.anatomy import inside

    if anatomy.output is None:
        return None
    output = model.get_submodule(anatomy.output)
    for name, module in model.named_modules():
        if (
            isinstance(module, Linear)
            and module is not output
            and inside(name, anatomy.head)
            and f"{name}.weight" in fresh
            and output.out_features <= module.out_features == output.in_features
            and _commutes(model, name, output, batch)
        ):
            return name
    return None


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


def _fold(straight: Any, projection: Any, output: Any) -> None:
    """Give the first rows of `projection` the weights, and let `output` pick these rows."""
    import torch

    num_labels = output.out_features
    with torch.no_grad():
        for parameter in (*projection.parameters(), *output.parameters()):
            parameter.zero_()
        projection.weight[:num_labels] = straight.weight
        output.weight[:, :num_labels] = torch.eye(num_labels)
        (output if output.bias is not None else projection).bias[:num_labels] = straight.bias
