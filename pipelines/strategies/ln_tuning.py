"""Only the normalisation layers and the new head train (arXiv 2312.11420)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pipelines.strategies._adapter import Adapter, Names

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel

    from pipelines.anatomy import Anatomy


class LnTuning(Adapter):
    """Scales and shifts of layer, batch, group and RMS normalisation; the running statistics of
    batch normalisation stay."""

    adapts: ClassVar[str] = "normalisation layer"
    quantizes: ClassVar[bool] = True

    target_modules: Literal["auto"] | list[str] = "auto"

    def auto(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Names:
        """All normalisation outside the head."""
        return anatomy.norms

    def config(self, model: "PreTrainedModel", targets: Names, saved: Names) -> "PeftConfig":
        """LNTuningConfig."""
        from peft import LNTuningConfig

        return LNTuningConfig(target_modules=list(targets), modules_to_save=list(saved))
