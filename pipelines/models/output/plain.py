"""An ordinary `AutoModelFor…`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.models import forward

if TYPE_CHECKING:
    from pipelines.features import Extractor
    from pipelines.features.heads import Linear
    from pipelines.models.forward import Read
    from pipelines.models.output import Library, Output
    from pipelines.tasks import ModelOutputs


@dataclass(frozen=True)
class PlainModel:
    """The auto class's own model."""

    library: ClassVar["Library"] = "transformers"
    model: Any

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "ModelOutputs":
        """What `read` keeps of a pass over encoded rows."""
        return forward.run(self.model, rows, collate, read, **options)

    def with_temperature(self, temperature: float, batch: Any) -> "Output | None":
        """The output layer's weights change in place."""
        import torch

        from pipelines.models.anatomy.logits_layer import logits_come_from

        name = self._output_layer
        if name is None or not logits_come_from(self.model, name, batch):
            return None
        with torch.no_grad():
            for parameter in self.model.get_submodule(name).parameters():
                parameter /= temperature
        return self

    @property
    def _output_layer(self) -> str | None:
        from pipelines.models.anatomy import dissect

        return dissect(self.model).output

    def save(self, folder: Path, processor: Any) -> None:
        """Weights as safetensors, config, and the processor."""
        self.model.save_pretrained(folder)
        processor.save_pretrained(folder)


@dataclass(frozen=True)
class ProbedModel(PlainModel):
    """A model whose output layer was solved for: what it says follows from features on disk."""

    extractor: "Extractor"
    head: "Linear"

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "ModelOutputs":
        """Logits of the head on what the output layer reads."""
        return {"logits": self.extractor.logits(self.head, rows, collate, **options)}

    def with_temperature(self, temperature: float, batch: Any) -> "Output":
        """The head, and the layer that it was written into."""
        head = self.head.with_temperature(temperature)
        self.extractor.graft(head)
        return replace(self, head=head)
