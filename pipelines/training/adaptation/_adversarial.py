"""What methods with a discriminator share: its size, and its learning rate."""

from typing import Any

from pydantic import Field

from pipelines.training.adaptation import WhileTraining


class Adversarial(WhileTraining):
    """A discriminator learns to know the domains, and the encoder to confuse it.

    Its gradient reaches the encoder reversed, by a share that grows with the progress of training.
    """

    hidden_size: int = Field(256, ge=1, description="of the discriminator")
    learning_rate: float = Field(
        1e-3, gt=0, description="of the discriminator at its highest; follows training's schedule"
    )

    def optimizer_groups(self, network: Any) -> list[dict[str, Any]]:
        """Return the discriminator, which is new and learns faster than what was pretrained."""
        return [{"params": [*network.parameters()], "lr": self.learning_rate}]
