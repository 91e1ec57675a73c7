"""An ordinary `AutoModelFor…`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.models import forward

if TYPE_CHECKING:
    from pipelines.models.forward import Collect
    from pipelines.models.output import Library, Output
    from pipelines.models.output.frozen_features import FrozenFeatures
    from pipelines.models.output.head_layers import Linear
    from pipelines.tasks import ModelOutputs


@dataclass(frozen=True)
class PlainModel:
    """The auto class's own model."""

    library: ClassVar["Library"] = "transformers"
    model: Any

    def run(self, rows: Any, collate: Any, collect: "Collect", **options: Any) -> "ModelOutputs":
        """Collect the outputs of a pass over encoded rows."""
        return forward.run(self.model, rows, collate, collect, **options)

    def with_temperature(self, temperature: float, batch: Any) -> "Output | None":
        """Divide the output layer's weights in place; None where other layers give logits, too."""
        import torch

        from pipelines.models.anatomy.logits_layer import logits_come_from

        name = self._output_layer_name
        if name is None or not logits_come_from(self.model, name, batch):
            return None
        with torch.no_grad():
            for parameter in self.output_layer.parameters():
                parameter /= temperature
        return self

    def features(self, rows: Any, collate: Any, **options: Any) -> "np.ndarray | None":
        """Catch what the output layer reads; of a sequence, the mean over its tokens."""
        if self._output_layer_name is None:
            return None
        caught: list[Any] = []

        def collect(_: Any, batch: dict[str, Any]) -> dict[str, Any]:
            inputs = caught.pop()
            if inputs.dim() == 3:
                inputs = _mean(inputs, batch.get("attention_mask"))
            return {"features": inputs}

        hook = self.output_layer.register_forward_pre_hook(
            lambda _, inputs: caught.append(inputs[0])
        )
        try:
            features = forward.run(self.model, rows, collate, collect, **options)["features"]
        finally:
            hook.remove()
        return np.asarray(features)

    @property
    def output_layer(self) -> Any:
        """The linear layer that gives the logits, as it is saved."""
        return self.model.get_submodule(self._output_layer_name)

    @property
    def _output_layer_name(self) -> str | None:
        from pipelines.models.anatomy import dissect

        return dissect(self.model).output

    def save(self, folder: Path, processor: Any) -> None:
        """Write weights as safetensors, the config, and the processor."""
        self.model.save_pretrained(folder)
        processor.save_pretrained(folder)


def _mean(states: Any, mask: Any) -> Any:
    """Average (rows, tokens, dim) states over the tokens that are no padding."""
    if mask is None or mask.shape != states.shape[:2]:
        return states.mean(dim=1)
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


@dataclass(frozen=True)
class ProbedModel(PlainModel):
    """A model whose output layer was solved for.

    Its logits are computed from features that are kept on disk, so that no pass is needed.
    """

    extractor: "FrozenFeatures"
    head: "Linear"

    def run(self, rows: Any, collate: Any, collect: "Collect", **options: Any) -> "ModelOutputs":
        """Apply the head to what the output layer reads: (rows, num_labels) logits."""
        return {"logits": self.extractor.logits(self.head, rows, collate, **options)}

    def features(self, rows: Any, collate: Any, **options: Any) -> np.ndarray:
        """Compute the features that the head was solved on."""
        features, _ = self.extractor.extract(rows, collate, **options)
        return np.asarray(features[self.extractor.chosen])

    def with_temperature(self, temperature: float, batch: Any) -> "Output":
        """Divide the head's logits, and the weights of the layer that it was written into."""
        head = self.head.with_temperature(temperature)
        # the model that will be saved has to agree with the head that predicts here
        self.extractor.graft(head)
        return replace(self, head=head)
