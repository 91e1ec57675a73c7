"""Numbers to predict, standardized while training and folded back into the output layer.

    outside of training    the model gives numbers in the unit of the data
    inside                 labels ── collate ──▶ (y - mean) / std ── loss
                           outputs ── restore ──▶ y std + mean ── scores

A learning rate is a distance in the space of weights: from a head near 0 to prices around 120,000
no usual rate ever arrives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipelines.models.load import Checkpoint
    from pipelines.models.output.head_layers import Linear
    from pipelines.tasks import ModelOutputs

Collate = Callable[[list[Any]], dict[str, Any]]


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of the targets of train."""

    mean: float
    std: float

    @classmethod
    def of(
        cls, checkpoint: "Checkpoint", batch: dict[str, Any], targets: Sequence[float]
    ) -> "TargetScale | None":
        """Measure the targets; None where no layer can hold the scale, which `batch` shows.

        Args:
            batch: model inputs without labels.
            targets: (examples,) numbers of train.
        """
        from pipelines.models.anatomy import dissect
        from pipelines.models.anatomy.logits_layer import logits_come_from

        model = checkpoint.model
        name = dissect(model, checkpoint.newly_initialized).output
        if name is None or not logits_come_from(model, name, batch):
            return None
        layer: Any = model.get_submodule(name)
        if not layer.weight.is_floating_point():  # quantized: it cannot be multiplied in place
            return None
        values = np.asarray(targets, float)
        # without a bias there is nothing that could hold the mean
        mean = 0.0 if layer.bias is None else float(values.mean())
        std = float(np.sqrt(np.mean((values - mean) ** 2)))
        scale = cls(mean, std or 1.0)
        if f"{name}.weight" in checkpoint.newly_initialized:
            scale.fold(layer)  # a new head begins at the mean instead of at 0
        return scale

    def fold(self, layer: Any) -> None:
        """Make a linear layer that gives standardized numbers give them in the unit of the data."""
        import torch

        with torch.no_grad():
            layer.weight.mul_(self.std)
            if layer.bias is not None:
                layer.bias.mul_(self.std).add_(self.mean)

    def unfold(self, layer: Any) -> None:
        """Make a linear layer that gives numbers in the unit of the data give them standardized."""
        import torch

        with torch.no_grad():
            layer.weight.div_(self.std)
            if layer.bias is not None:
                layer.bias.sub_(self.mean).div_(self.std)

    def standardize(self, head: "Linear") -> "Linear":
        """Return a head that gives standardized numbers."""
        from pipelines.models.output.head_layers import Linear

        return Linear(head.weight / self.std, (head.bias - self.mean) / self.std)

    def collate(self, collate: Collate) -> Collate:
        """Wrap a collator so that the labels of its batches are standardized."""
        return _StandardizedCollate(collate, self)

    def restore(self, outputs: "ModelOutputs") -> "ModelOutputs":
        """Return collected outputs with their `logits` in the unit of the data."""
        logits = np.asarray(outputs["logits"])
        restored: Mapping[str, Any] = {**outputs, "logits": logits * self.std + self.mean}
        return restored


@dataclass(frozen=True)
class _StandardizedCollate:
    """A class and no closure: workers that load batches need to pickle it."""

    collate: Collate
    scale: TargetScale

    def __call__(self, rows: list[Any]) -> dict[str, Any]:
        batch = self.collate(rows)
        if "labels" not in batch:
            return batch
        labels = (batch["labels"] - self.scale.mean) / self.scale.std
        return {**batch, "labels": labels}
