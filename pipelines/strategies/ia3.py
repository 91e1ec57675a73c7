"""IA3: a vector for each layer, by which what comes in or out is scaled (arXiv 2205.05638)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.strategies.adapters.adapter import Adapter, Names

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy


class Ia3(Adapter):
    """The paper scales keys, values and what is inside the feed-forward layers. Here every linear
    layer of the blocks has a vector, so that no family's names need to be known: of its outputs, or
    of its inputs where it has more of these, as the end of a feed-forward layer does.
    """

    quantizes: ClassVar[bool] = True

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """The paper's rate of 3e-3 (section 3.3)."""
        return {**super().training_defaults(modality, anatomy), "learning_rate": 3e-3}

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """IA3Config; what narrows down counts as feed-forward."""
        from peft import IA3Config

        return IA3Config(
            target_modules=list(targets),
            feedforward_modules=[n for n in targets if _narrows(model.get_submodule(n))],
            modules_to_save=list(saved),
        )


def _narrows(layer: Any) -> bool:
    """Whether a layer has more inputs than outputs."""
    from transformers.pytorch_utils import Conv1D

    if isinstance(layer, Conv1D):
        return layer.nx > layer.nf
    if hasattr(layer, "in_channels"):
        return layer.in_channels > layer.out_channels
    return getattr(layer, "in_features", 0) > getattr(layer, "out_features", 0)
