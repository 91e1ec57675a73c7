"""DANN: no discriminator can know source from target by the features (arXiv 1505.07818)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.training.adaptation import Domain
from pipelines.training.adaptation._adversarial import Adversarial

if TYPE_CHECKING:
    import torch


class Dann(Adversarial):
    """Domain-adversarial training: the discriminator reads the features."""

    measured: ClassVar[str] = (
        "digits: 27.3 points above the source alone one way, 20.5 the other, in all ten pairs of "
        "runs; other colors, one run: 4.2"
    )
    min_steps: ClassVar[int] = 600

    def network(self, dim: int, num_classes: int) -> "torch.nn.Module":
        """Build the discriminator."""
        from pipelines.training.adaptation._adversary import Discriminator

        return Discriminator(dim, self.hidden_size)

    def loss(self, source: Domain, target: Domain, network: Any, progress: float) -> "torch.Tensor":
        """Compute the discriminator's loss, whose gradient reaches the features reversed."""
        from pipelines.training.adaptation._adversary import (
            domain_loss,
            reversal,
            reverse_gradient,
        )

        strength = reversal(progress)
        of_source, of_target = (
            network(reverse_gradient(domain.features, strength)) for domain in (source, target)
        )
        return domain_loss(of_source, of_target)
