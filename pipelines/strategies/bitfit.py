"""Only biases and the new head train: a thousandth of the weights (arXiv 2106.10199)."""

from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.strategies._new_head import NewHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class Bitfit(NewHead):
    """Every bias of the encoder, that of normalization included, and all of the head."""

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return a rate within the paper's range for BERT, 1e-4 to 9e-4; biases are not decayed."""
        return {
            **super().training_defaults(modality, anatomy),
            "learning_rate": 5e-4 if modality == "text" else 1e-3,
        }

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """Name batch normalization: its bias trains, its running statistics must not."""
        from pipelines.core.upstream import is_batch_norm

        return tuple(name for name, m in model.named_modules() if is_batch_norm(m))

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Freeze everything but biases and head."""
        from pipelines.models.anatomy import inside

        model.requires_grad_(False)
        # by attributes: a parameter with `bias` in its name can be something else, such as a table
        # of relative positions
        biases = [
            module.bias
            for name, module in model.named_modules()
            if hasattr(module, "bias") and not inside(name, anatomy.head)
        ]
        # without a bias the attribute is None, and in some modules it is only a flag
        trained = [bias for bias in biases if bias is not None and hasattr(bias, "requires_grad_")]
        if not trained:
            raise ModelError(
                f"bitfit: {type(model).__name__} has no biases; use lora, or ln_tuning"
            )
        head = [model.get_submodule(name) for name in anatomy.head]
        for parameter in (*trained, *(p for module in head for p in module.parameters())):
            parameter.requires_grad_(True)
        return model
