"""How large the vectors are that the output layer reads, before anything is trained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import Task


def mean_size(
    task: "Task", checkpoint: "Checkpoint", anatomy: "Anatomy", train: Any
) -> float | None:
    """Sum the magnitudes in each vector, on average over a few examples of train.

    Returns:
        None where the output layer reads what layers without pretrained weights gave, whose size
        says nothing of what it will be, and where no layer maps features to logits.
    """
    import torch

    from pipelines.features.activation_hook import ActivationHook
    from pipelines.models import forward
    from pipelines.models.anatomy import inside

    output, model = anatomy.output, checkpoint.model.eval()
    if output is None or not all(inside(name, [output]) for name in anatomy.new):
        return None
    batch = forward.sample_batch(train, task.collator(checkpoint.processor))
    with ActivationHook(model, anatomy) as hook, torch.no_grad():
        model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
    return float(hook.input.float().abs().sum(-1).mean())
