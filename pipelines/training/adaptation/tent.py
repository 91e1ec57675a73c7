"""Tent: weights of normalization change until the target is predicted surely (2006.10726)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.core.errors import ModelError
from pipelines.training.adaptation import AfterTraining

if TYPE_CHECKING:
    from pipelines.training.target_batches import TargetBatches


class Tent(AfterTraining):
    """Gradient steps lower the entropy of predictions for the target.

    What normalization multiplies and adds changes, and nothing else. Batch normalization computes
    by the statistics of the batch on the way, and by those of the target afterwards (`adabn`).
    """

    measured: ClassVar[str] = (
        "digits: 17.5 points above the source alone one way, 15.5 the other, in all six pairs of "
        "runs, and 7 to 9 below it on the source"
    )

    # as many as the paper takes for 10,000 rows of CIFAR-10-C, by its optimizer and rate
    steps: int = Field(50, ge=1, description="on batches of 64 rows of the target")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam, in every step")

    def check_model(self, model: Any) -> None:
        """Refuse a model without weights of normalization.

        Raises:
            ModelError: lists the model's normalization.
        """
        from pipelines.training.adaptation._statistics import kinds_of_norms, weighted_norms

        if not weighted_norms(model):
            raise ModelError(
                f"adaptation.name: '{self.name}': {type(model).__name__} has no normalization with "
                f"weights that could change (its normalization: {kinds_of_norms(model)}); use a "
                "method that trains, such as deep_coral, or leave adaptation out"
            )

    def adapt(self, model: Any, batches: "TargetBatches") -> str:
        """Take the steps, then the statistics of at most 10,000 rows."""
        from pipelines.training.adaptation._statistics import (
            batch_norms,
            reestimate,
            weighted_norms,
        )

        layers = weighted_norms(model)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        model.requires_grad_(False).eval()
        for layer in layers:
            layer.requires_grad_(True)
        for layer in batch_norms(model):
            layer.train()
        self._take_steps(model, batches)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
        if batch_norms(model):
            reestimate(model, batches)
        model.eval()
        return f"weights of {len(layers)} layers of normalization changed in {self.steps} steps"

    def _take_steps(self, model: Any, batches: "TargetBatches") -> None:
        import torch

        from pipelines.training.adaptation._statistics import BATCH_ROWS

        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, self.learning_rate)
        size = min(BATCH_ROWS, len(batches.rows))
        for batch in batches.batches(self.steps * size, size, model.device):
            optimizer.zero_grad()
            logs = torch.log_softmax(model(**batch)["logits"].float(), 1)
            # of logs: the gradient of p log p is not finite where p is 0
            entropies = -(logs.exp() * logs).sum(1)
            entropies.mean().backward()
            optimizer.step()
