"""Catches hidden states during a forward pass."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.features import layers

if TYPE_CHECKING:
    from pipelines.models.anatomy import Anatomy


@dataclass
class ActivationHook:
    """Catches what the output layer reads and what the encoder returns, inside a `with` block.

    Attributes:
        layer: which hidden states `hidden` gives.
        input: what the output layer reads, (rows, dim) or (rows, tokens, dim).
        outputs: what the encoder returns.
    """

    model: Any
    anatomy: "Anatomy"
    layer: Literal["last", "mean"] = "last"
    input: Any = None
    outputs: Any = None

    def __enter__(self) -> "ActivationHook":
        output = self.model.get_submodule(self.anatomy.output)
        encoder = self.model.get_submodule(self.anatomy.encoder)
        # a hook, since no model returns its output layer's input
        self.hooks = [
            output.register_forward_pre_hook(self._catch_input),
            encoder.register_forward_hook(self._catch_outputs),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()

    @property
    def hidden(self) -> Any:
        """(rows, tokens, dim): the encoder's last state, or the mean of its blocks'.

        None where the encoder returns no sequence, as convolutional ones.
        """
        if self.layer == "mean":
            return layers.mean(self.outputs)
        return getattr(self.outputs, "last_hidden_state", None)

    def _catch_input(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self.input = inputs[0]

    def _catch_outputs(self, _: Any, __: Any, outputs: Any) -> None:
        self.outputs = outputs
