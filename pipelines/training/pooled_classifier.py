"""A classifier that reads a pooling of its encoder's states, which its plain class would not.

checkpoint ── of ──▶ encoder ── pooling ── head ── trained ──▶ a sentence-transformers folder
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from pipelines.core.labels import MULTI, SINGLE
from pipelines.core.losses import BinaryCrossEntropy, CrossEntropy, squared_error
from pipelines.models import forward
from pipelines.models.anatomy import dissect, inside
from pipelines.models.output.plain import PlainModel
from pipelines.models.output.sentence import PooledModel
from pipelines.training.pooled_encoder import PooledEncoder

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.output.head_layers import Linear
    from pipelines.training.job import Job


class PooledClassifier(PooledEncoder):
    """An encoder of texts, a pooling, and a linear head: `head` alone is new.

    Attributes:
        head: (dim of the pooling) -> (num_labels).
    """

    def __init__(self, model: Any, anatomy: "Anatomy", pooling: str, head: "Linear") -> None:
        super().__init__(model, anatomy, pooling)
        num_labels, dim = head.weight.shape
        self.head = torch.nn.Linear(dim, num_labels, device=self.device)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight))
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Classify a batch: `logits` (rows, num_labels)."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        return SequenceClassifierOutput(logits=self.head(self.embed(**inputs)))


def with_pooling(job: "Job", pooling: str, head: "Linear") -> "Job":
    """Return the job for the same encoder with another pooling and a solved head.

    Its encoder is that of the job's model, in place; what the pooling does not read never trains.
    """
    checkpoint = job.checkpoint
    model, new = checkpoint.model, checkpoint.newly_initialized
    anatomy = dissect(model, new)
    pooled: Any = PooledClassifier(model, anatomy, pooling, head)
    _freeze_unread(pooled, forward.sample_batch(job.train, job.collate))
    encoder = f"{anatomy.encoder}."
    inner = [f"encoder.{n.removeprefix(encoder)}" for n in new if inside(n, [anatomy.encoder])]
    new = (*inner, "head.weight", "head.bias")
    return replace(
        job,
        checkpoint=replace(checkpoint, model=pooled, newly_initialized=new),
        loss=job.loss or _loss(job),
    )


def trained_output(model: Any) -> PlainModel:
    """Wrap a trained model as what will be saved."""
    return PooledModel(model) if isinstance(model, PooledClassifier) else PlainModel(model)


def _freeze_unread(model: Any, batch: dict[str, torch.Tensor]) -> None:
    """Freeze what follows the last block and changes no logits, such as the encoder's own pooler.

    Processes that train together would wait for its gradients.
    """
    anatomy = dissect(model)
    last = [
        parameter
        for name, parameter in model.named_parameters()
        if anatomy.depth(name) == len(anatomy.depths) - 1
    ]
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
    logits = model.eval()(**inputs).logits
    for parameter, gradient in zip(
        last, torch.autograd.grad(logits.sum(), last, allow_unused=True), strict=True
    ):
        parameter.requires_grad_(gradient is not None)


def _loss(job: "Job") -> Any:
    """Return the loss that the plain class has by itself."""
    if job.labels.problem_type == SINGLE:
        return CrossEntropy(label_smoothing=job.arguments.label_smoothing_factor)
    return BinaryCrossEntropy() if job.labels.problem_type == MULTI else squared_error
