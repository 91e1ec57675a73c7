"""The smallest part of an encoder's output from which the model's own head gives the same logits.

Found by trying, not by a table of families: in the encoder's place the head is given one vector for
each example, as a sequence of one token, and has to answer as before. What a head reads of an
encoder can then be kept while the head itself is new with every seed (RoBERTa's has two layers).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.features.pooling import mask_of, pool

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy

KINDS = ("pooled", "cls", "last", "mean")


@dataclass(frozen=True)
class HeadInput:
    """What is read of the encoder named `encoder`, and put in its place again.

    Attributes:
        kind: `pooled` is the encoder's own pooler; the others are poolings of its last state.
        outputs: the class of what the encoder gives.
    """

    encoder: str
    kind: str
    outputs: type

    def read(self, outputs: Any, batch: dict[str, Any]) -> "torch.Tensor":
        """(rows, dim) of what the encoder gave for a batch."""
        if self.kind == "pooled":
            return outputs.pooler_output
        hidden = outputs.last_hidden_state
        return pool(hidden, mask_of(hidden, batch), self.kind)

    @contextmanager
    def replace_encoder(self, model: Any, read: "torch.Tensor") -> Iterator[dict[str, Any]]:
        """Inside, the encoder gives (rows, dim) `read`; yields what to call `model` with."""
        import torch

        given = self._outputs(read)

        class Planted(torch.nn.Module):
            def forward(self, *_: Any, **__: Any) -> Any:
                return given

        whole = model.get_submodule(self.encoder)
        one = torch.ones(len(read), 1, dtype=torch.long, device=read.device)
        texts = {"input_ids": one * _any_word(model), "attention_mask": one}
        try:
            model.set_submodule(self.encoder, Planted())
            yield texts if model.main_input_name == "input_ids" else {model.main_input_name: read}
        finally:
            model.set_submodule(self.encoder, whole)

    def _outputs(self, read: "torch.Tensor") -> Any:
        tokens = read.unsqueeze(1)
        if self.kind == "pooled":
            return self.outputs(last_hidden_state=tokens, pooler_output=read)
        return self.outputs(last_hidden_state=tokens)


def find(model: Any, anatomy: "Anatomy", batch: dict[str, Any]) -> HeadInput | None:
    """The first kind that gives the logits of the whole model on `batch`; None where none does."""
    import torch

    if not anatomy.encoder or anatomy.encoder == anatomy.output:
        return None
    caught: list[Any] = []
    encoder = model.get_submodule(anatomy.encoder)
    hook = encoder.register_forward_hook(lambda *given: caught.append(given[-1]))
    with torch.inference_mode():
        logits = model.eval()(**batch).logits
        hook.remove()
        for kind in KINDS:
            head_input = HeadInput(anatomy.encoder, kind, type(caught[0]))
            if _gives(head_input, model, caught[0], batch, logits):
                return head_input
    return None


def _gives(
    head_input: HeadInput, model: Any, outputs: Any, batch: dict[str, Any], logits: "torch.Tensor"
) -> bool:
    import torch

    try:
        read = head_input.read(outputs, batch)
        with head_input.replace_encoder(model, read) as inputs:
            given = model(**inputs).logits
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # the head wants something else of the encoder
    return given.shape == logits.shape and torch.allclose(given, logits, rtol=1e-4, atol=1e-5)


def _any_word(model: Any) -> int:
    """A token that is not padding."""
    return 1 if model.config.pad_token_id == 0 else 0
