"""IA3: a learned vector scales the inputs or outputs of each layer (arXiv 2205.05638)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.strategies.adapters.adapter import Adapter, Names

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class Ia3(Adapter):
    """Every linear layer of the blocks gets a vector, so that no family's names need to be known.

    It scales the outputs, or the inputs where there are more of these, as at the end of a
    feed-forward layer. The paper scales keys, values and the inside of feed-forward layers.
    """

    quantizes: ClassVar[bool] = True

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return the paper's rate of 3e-3 (section 3.3)."""
        return {**super().training_defaults(modality, anatomy), "learning_rate": 3e-3}

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """Build an IA3Config; a layer with more inputs than outputs counts as feed-forward."""
        from peft import IA3Config

        return IA3Config(
            target_modules=list(targets),
            feedforward_modules=[n for n in targets if _narrows(model.get_submodule(n))],
            modules_to_save=list(saved),
        )


def _narrows(layer: Any) -> bool:
    """Return whether a layer has more inputs than outputs."""
    from transformers.pytorch_utils import Conv1D

    # GPT-2's class keeps its weight transposed, so that shapes would say the opposite
    if isinstance(layer, Conv1D):
        return layer.nx > layer.nf
    if hasattr(layer, "in_channels"):
        return layer.in_channels > layer.out_channels
    return getattr(layer, "in_features", 0) > getattr(layer, "out_features", 0)
