"""A peft folder: what was learned, without the checkpoint that it was learned on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.models.output import adapter_folder
from pipelines.models.output.plain import PlainModel

if TYPE_CHECKING:
    from pipelines.models.output import Library


@dataclass(frozen=True)
class AdapterModel(PlainModel):
    """A PeftModel: its folder holds adapters and head, and names the checkpoint.

    Attributes:
        revision: the commit of the checkpoint; None for a folder.
    """

    library: ClassVar["Library"] = "peft"
    revision: str | None

    @property
    def prompts(self) -> bool:
        """Whether the adapter is tokens before the input, and no layers in the checkpoint."""
        return self.model.active_peft_config.is_prompt_learning

    @property
    def _output_layer_name(self) -> str | None:
        """The trained copy of the output layer: others are the checkpoint's, and are not saved."""
        from pipelines.models.anatomy import dissect

        # peft wraps a layer in `modules_to_save` with the original beside the copy that trained
        base = self.model.get_base_model()
        layer = base.get_submodule(dissect(base).output or "")
        names = (name for name, module in self.model.named_modules() if module is layer)
        return next((name for name in names if ".modules_to_save." in name), None)

    def save(self, folder: Path, processor: Any) -> None:
        """Write adapters, head, config, and the processor."""
        adapter_folder.write(self.model, folder, self.revision)
        processor.save_pretrained(folder)
