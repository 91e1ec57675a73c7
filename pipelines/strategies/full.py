"""Full fine-tuning: every weight trains (Devlin et al. 2019, arXiv 1810.04805)."""

from typing import TYPE_CHECKING, Any

from pipelines.strategies import Strategy

if TYPE_CHECKING:
    from pipelines.anatomy import Anatomy


class Full(Strategy):
    """Every weight trains, at one low rate."""

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """BERT's grid (arXiv 1810.04805, A.3); ViT's fine-tuning cards; AdamW 1e-3 for convnets.

        Where nothing normalises (VGG), a tenth of that, as in torchvision's reference training.
        """
        rate = {"text": 2e-5, "image": 5e-5, "audio": 3e-5}[modality]
        if anatomy.is_convolutional:
            rate = 1e-3 if anatomy.norms else 1e-4
        return {
            "learning_rate": rate,
            "num_train_epochs": 3 if modality == "text" else 5,
            "per_device_train_batch_size": 32,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.1,  # below 1: a share of all steps
            "weight_decay": 0.01,
        }
