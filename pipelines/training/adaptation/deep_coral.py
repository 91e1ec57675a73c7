"""Deep CORAL: covariances of the features agree in source and target (arXiv 1607.01719)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.training.adaptation import Domain, WhileTraining

if TYPE_CHECKING:
    import torch


class DeepCoral(WhileTraining):
    """The squared distance of the covariances of the features, divided by 4 dim²."""

    measured: ClassVar[str] = (
        "digits: 23.1 points above the source alone one way, 20.4 the other, in all pairs of runs; "
        "other colors: 2.7 ± 9.1; speakers, 1,000 steps: 6.0 ± 5.6, in four of six, and with 300 "
        "steps below it; reviews: 0.0 ± 1.1, above it in six of twelve"
    )

    weight: float = Field(
        100.0, gt=0, description="of the term, relative to the task's loss; wide features need more"
    )

    def loss(self, source: Domain, target: Domain, network: Any, progress: float) -> "torch.Tensor":
        """Compute the term; 0 for single rows, which have no covariance."""
        if min(len(source.features), len(target.features)) < 2:
            return source.features.sum() * 0
        # rows are observations here, and variables in torch.cov
        difference = source.features.T.cov() - target.features.T.cov()
        dim = source.features.shape[1]
        return (difference**2).sum() / (4 * dim**2)
