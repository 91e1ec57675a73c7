"""The honest baseline: the same architecture from random weights, everything trains."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


class Scratch(Strategy):
    """Everything trains from random weights: what pretraining has to beat."""

    pretrained: ClassVar[bool] = False
    changes_pretrained_weights: ClassVar[bool] = False

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return higher rates and more epochs than usual: random weights have further to go."""
        return {
            "learning_rate": 2e-3 if anatomy.is_convolutional else 3e-4,
            "num_train_epochs": 10,
            "per_device_train_batch_size": 32,
            "lr_scheduler_type": "cosine",
            "warmup_steps": 0.1,
            "weight_decay": 0.05,
        }
